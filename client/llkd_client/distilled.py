"""A model that a job made, ready to answer."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import Any, overload

from llkd_client.calls import jobs, models, predictions
from llkd_client.driving import AsyncDriver, SyncDriver
from llkd_client.operations import Core
from llkd_client.shapes.jobs import Job
from llkd_client.shapes.models import Prediction
from llkd_client.shapes.reports import Report
from llkd_client.surfaces import AsyncResource, Resource


class DistilledModel(Resource):
    """What `distill` returns.

    Attributes:
        job: the job that made it.
        id: of the model; it never means another one.
    """

    def __init__(self, driver: SyncDriver, core: Core, job: Job) -> None:
        super().__init__(driver, core)
        self.job = job
        self.id = _model_of(job)

    @overload
    def predict(self, texts: str, **options: Any) -> Prediction: ...

    @overload
    def predict(self, texts: Iterable[str], **options: Any) -> list[Prediction]: ...

    def predict(self, texts: str | Iterable[str], **options: Any) -> Prediction | list[Prediction]:
        """The answer to a text, or to each of several; options are those of `client.predict`."""
        if isinstance(texts, str):
            call = predictions.predict(self._core, self.id, texts, **options)
            return self._driver.run(call).data[0]
        each = predictions.predict_each(self._core, self.id, texts, **options)
        return list(self._driver.iterate(each.operation))

    def report(self) -> Report:
        return self._driver.run(jobs.report(self._core, self.job.id))

    def export(self, path: str | PathLike[str], **options: Any) -> Path:
        """As `client.models.export`."""
        return self._driver.run(models.export(self._core, self.id, path, **options))

    def __repr__(self) -> str:
        return f"DistilledModel({self.id!r}, job={self.job.id!r})"


class AsyncDistilledModel(AsyncResource):
    """As DistilledModel, of an AsyncClient."""

    def __init__(self, driver: AsyncDriver, core: Core, job: Job) -> None:
        super().__init__(driver, core)
        self.job = job
        self.id = _model_of(job)

    @overload
    async def predict(self, texts: str, **options: Any) -> Prediction: ...

    @overload
    async def predict(self, texts: Iterable[str], **options: Any) -> list[Prediction]: ...

    async def predict(
        self, texts: str | Iterable[str], **options: Any
    ) -> Prediction | list[Prediction]:
        """The answer to a text, or to each of several; options are those of `client.predict`."""
        if isinstance(texts, str):
            call = predictions.predict(self._core, self.id, texts, **options)
            return (await self._driver.run(call)).data[0]
        each = predictions.predict_each(self._core, self.id, texts, **options)
        return [answer async for answer in self._driver.iterate(each.operation)]

    async def report(self) -> Report:
        return await self._driver.run(jobs.report(self._core, self.job.id))

    async def export(self, path: str | PathLike[str], **options: Any) -> Path:
        """As `client.models.export`."""
        return await self._driver.run(models.export(self._core, self.id, path, **options))

    def __repr__(self) -> str:
        return f"AsyncDistilledModel({self.id!r}, job={self.job.id!r})"


def _model_of(job: Job) -> str:
    """Raises ValueError: the job made none."""
    if job.model_id is None:
        raise ValueError(f"Job {job.id} ({job.purpose}) has made no model.")
    return job.model_id
