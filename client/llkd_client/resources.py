"""The calls as methods, in groups: each group once blocking, once asynchronous."""

from llkd_client.calls import datasets, jobs, models, predictions, teachers
from llkd_client.surfaces import (
    AsyncResource,
    Resource,
    awaited,
    blocking,
    iterated,
    iterated_async,
)


class Datasets(Resource):
    """`client.datasets`."""

    add = blocking(datasets.add)
    add_texts = blocking(datasets.add_texts)
    add_kept_texts = blocking(datasets.add_kept_texts)
    list = iterated(datasets.list_datasets)
    get = blocking(datasets.get)
    rows = iterated(datasets.rows)
    issues = iterated(datasets.issues)
    delete = blocking(datasets.delete)


class AsyncDatasets(AsyncResource):
    """`client.datasets`."""

    add = awaited(datasets.add)
    add_texts = awaited(datasets.add_texts)
    add_kept_texts = awaited(datasets.add_kept_texts)
    list = iterated_async(datasets.list_datasets)
    get = awaited(datasets.get)
    rows = iterated_async(datasets.rows)
    issues = iterated_async(datasets.issues)
    delete = awaited(datasets.delete)


class Teachers(Resource):
    """`client.teachers`."""

    create = blocking(teachers.create)
    list = iterated(teachers.list_teachers)
    get = blocking(teachers.get)
    update = blocking(teachers.update)
    test = blocking(teachers.test)
    delete = blocking(teachers.delete)
    report_card = blocking(teachers.report_card)
    report_cards = blocking(teachers.report_cards)


class AsyncTeachers(AsyncResource):
    """`client.teachers`."""

    create = awaited(teachers.create)
    list = iterated_async(teachers.list_teachers)
    get = awaited(teachers.get)
    update = awaited(teachers.update)
    test = awaited(teachers.test)
    delete = awaited(teachers.delete)
    report_card = awaited(teachers.report_card)
    report_cards = awaited(teachers.report_cards)


class Jobs(Resource):
    """`client.jobs`."""

    create = blocking(jobs.create)
    estimate = blocking(jobs.estimate)
    list = iterated(jobs.list_jobs)
    get = blocking(jobs.get)
    wait = blocking(jobs.wait)
    cancel = blocking(jobs.cancel)
    retry = blocking(jobs.retry)
    events = iterated(jobs.events)
    labels = iterated(jobs.labels)
    export_labels = blocking(jobs.export_labels)
    report = blocking(jobs.report)
    forecast = blocking(jobs.forecast)
    audit = blocking(jobs.audit)
    disagreements = iterated(jobs.disagreements)
    compare = blocking(jobs.compare)
    training = blocking(jobs.training)
    selection = blocking(jobs.selection)


class AsyncJobs(AsyncResource):
    """`client.jobs`."""

    create = awaited(jobs.create)
    estimate = awaited(jobs.estimate)
    list = iterated_async(jobs.list_jobs)
    get = awaited(jobs.get)
    wait = awaited(jobs.wait)
    cancel = awaited(jobs.cancel)
    retry = awaited(jobs.retry)
    events = iterated_async(jobs.events)
    labels = iterated_async(jobs.labels)
    export_labels = awaited(jobs.export_labels)
    report = awaited(jobs.report)
    forecast = awaited(jobs.forecast)
    audit = awaited(jobs.audit)
    disagreements = iterated_async(jobs.disagreements)
    compare = awaited(jobs.compare)
    training = awaited(jobs.training)
    selection = awaited(jobs.selection)


class Models(Resource):
    """`client.models`."""

    list = iterated(models.list_models)
    get = blocking(models.get)
    delete = blocking(models.delete)
    export = blocking(models.export)
    aliases = blocking(models.aliases)
    alias = blocking(models.alias)
    set_alias = blocking(models.set_alias)
    delete_alias = blocking(models.delete_alias)
    drift = blocking(models.drift)
    defer = blocking(models.defer)
    deferral = blocking(models.deferral)
    stop_deferring = blocking(models.stop_deferring)
    keep_texts = blocking(models.keep_texts)
    kept_texts = iterated(models.kept_texts)
    stop_keeping = blocking(models.stop_keeping)


class AsyncModels(AsyncResource):
    """`client.models`."""

    list = iterated_async(models.list_models)
    get = awaited(models.get)
    delete = awaited(models.delete)
    export = awaited(models.export)
    aliases = awaited(models.aliases)
    alias = awaited(models.alias)
    set_alias = awaited(models.set_alias)
    delete_alias = awaited(models.delete_alias)
    drift = awaited(models.drift)
    defer = awaited(models.defer)
    deferral = awaited(models.deferral)
    stop_deferring = awaited(models.stop_deferring)
    keep_texts = awaited(models.keep_texts)
    kept_texts = iterated_async(models.kept_texts)
    stop_keeping = awaited(models.stop_keeping)


class PredictionJobs(Resource):
    """`client.predictions`."""

    create = blocking(predictions.create)
    list = iterated(predictions.list_predictions)
    get = blocking(predictions.get)
    wait = blocking(predictions.wait)
    cancel = blocking(predictions.cancel)
    output = blocking(predictions.output)


class AsyncPredictionJobs(AsyncResource):
    """`client.predictions`."""

    create = awaited(predictions.create)
    list = iterated_async(predictions.list_predictions)
    get = awaited(predictions.get)
    wait = awaited(predictions.wait)
    cancel = awaited(predictions.cancel)
    output = awaited(predictions.output)
