"""Whether what is asked can be done: the checks that need more than the request itself."""

import math
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.jobs.dataset_facts import DatasetFacts, read_facts, read_gold_labels
from app.jobs.errors import ModelNotAllowed, ResourceLimit
from app.jobs.schemas import JobCreate
from core.artifacts import ArtifactStore
from core.db.repositories.datasets import DatasetRepository
from core.db.tables import DatasetRow
from core.errors import ErrorItem, Gone, ValidationFailed
from core.ids import DatasetId, TenantId
from llkd.base_models import ModelSource, check_name
from llkd.errors import ModelNotAllowed as NameRefused
from llkd.specs import (
    OFFLINE_MODEL,
    Candidate,
    EnsembleTeacher,
    FewShotTeacher,
    HuggingFaceTeacher,
    ProvidedTeacher,
    SingleStudent,
    SingleTeacher,
    StudentChoice,
    ZeroShotTeacher,
    label_key,
    students_of,
)

MAX_STEPS = 2_000_000
SHOWN_STRANGERS = 10


@dataclass(frozen=True)
class Datasets:
    """The rows of what a job reads."""

    pool: DatasetRow
    evaluation: DatasetRow | None


def find_datasets(session: Session, tenant: TenantId, body: JobCreate) -> Datasets:
    """The datasets that the request names.

    Raises:
        ValidationFailed: the tenant has none of this id.
        Gone: it was deleted.
    """
    evaluation_id = body.evaluation.dataset_id
    return Datasets(
        pool=find_dataset(session, tenant, body.dataset_id, pointer="/dataset_id"),
        evaluation=None
        if evaluation_id is None
        else find_dataset(session, tenant, evaluation_id, pointer="/evaluation/dataset_id"),
    )


def hold_datasets(session: Session, tenant: TenantId, body: JobCreate) -> None:
    """Keep the datasets from being deleted until this transaction ends.

    Raises:
        Gone: one was deleted since it was found.
    """
    wanted = {body.dataset_id, body.evaluation.dataset_id} - {None}
    # In the order of ids: two requests that hold the same two never wait in a circle.
    for dataset_id in sorted(filter(None, wanted)):
        hold_dataset(session, tenant, dataset_id)


def find_dataset(
    session: Session, tenant: TenantId, dataset_id: str, *, pointer: str
) -> DatasetRow:
    """The dataset that the request names at the pointer.

    Raises:
        ValidationFailed: the tenant has none of this id.
        Gone: it was deleted.
    """
    row = DatasetRepository(session).get(tenant, DatasetId(dataset_id))
    if row is None:
        raise _refusal(pointer, "not-found", f"There is no dataset {dataset_id}.")
    if row.deleted_at is not None:
        raise Gone("dataset", dataset_id, pointer=pointer)
    return row


def hold_dataset(session: Session, tenant: TenantId, dataset_id: str) -> None:
    """Keep one dataset from being deleted until this transaction ends.

    Raises:
        Gone: it was deleted since it was found.
    """
    row = DatasetRepository(session).hold(tenant, DatasetId(dataset_id))
    if row is None or row.deleted_at is not None:
        raise Gone("dataset", dataset_id)


def check_models(body: JobCreate, source: ModelSource) -> None:
    """Raise ModelNotAllowed for a base model that can never be loaded here."""
    several = isinstance(body.student, StudentChoice)
    named = [
        (f"/student/candidates/{place}/model" if several else "/student/model", *_model(student))
        for place, student in enumerate(students_of(body.student))
    ]
    for pointer, teacher in _teachers(body):
        if isinstance(teacher, FewShotTeacher | HuggingFaceTeacher | ZeroShotTeacher):
            named.append((f"{pointer}/model", *_model(teacher)))
    if getattr(body.selection, "labeling", None) == "lazy":
        named.append(("/selection/labeling", OFFLINE_MODEL, None))
    for pointer, name, revision in named:
        try:
            check_name(name, revision=revision, source=source)
        except NameRefused as error:
            message = str(error)
            raise ModelNotAllowed(
                f"{pointer}: {message}", errors=[ErrorItem(pointer, error.code, message)]
            ) from error


def check_files(body: JobCreate, datasets: Datasets, artifacts: ArtifactStore) -> DatasetFacts:
    """Check what the datasets hold against what the job needs; returns the pool's facts.

    Raises:
        ValidationFailed: no answers for the `provided` teacher, or gold labels that are
            missing or not of the set; more rows to certify with than may be.
        ResourceLimit: too many steps.
    """
    facts = read_facts(artifacts.path(datasets.pool.rows_artifact))
    reads_answers = any(isinstance(each, ProvidedTeacher) for _, each in _teachers(body))
    if reads_answers and not facts.provided_rows:
        raise _refusal(
            "/dataset_id",
            "no-provided-answers",
            "The teacher is `provided`, and the dataset has no teacher's answers: upload it with "
            "`teacher_label_column`, `teacher_probabilities_column` or `teacher_votes_column`.",
        )
    if datasets.evaluation is not None:
        _check_gold(body, datasets.evaluation, artifacts)
    _check_certification(body, facts.rows)
    _check_size(body, facts.rows)
    return facts


def most_steps(candidate: Candidate, rows: int, *, share: float = 1.0) -> int:
    """Optimizer steps if this share of the texts is trained on in every
    pass, within the most there may be."""
    epochs, most = candidate.usual_length(pool_size=rows)
    steps = math.ceil(rows / candidate.training.batch_size) * epochs
    return max(1, min(round(steps * share), most or steps))


def _teachers(body: JobCreate) -> list[tuple[str, SingleTeacher]]:
    """Those that are asked, each with where it stands in the request."""
    if not isinstance(body.teacher, EnsembleTeacher):
        return [("/teacher", body.teacher)]
    return [
        (f"/teacher/teachers/{place}", each) for place, each in enumerate(body.teacher.teachers)
    ]


def _model(
    named: SingleStudent | FewShotTeacher | HuggingFaceTeacher | ZeroShotTeacher,
) -> tuple[str, str | None]:
    return named.model, named.revision


def _check_gold(body: JobCreate, dataset: DatasetRow, artifacts: ArtifactStore) -> None:
    path = artifacts.path(dataset.rows_artifact)
    pointer = "/evaluation/dataset_id"
    if not read_facts(path).gold_rows:
        message = "The evaluation dataset has no gold labels: upload it with `label_column`."
        raise _refusal(pointer, "no-gold-labels", message)
    known = {label_key(name) for name in body.label_names}
    strangers = sorted(name for name in read_gold_labels(path) if label_key(name) not in known)
    if strangers:
        shown = ", ".join(repr(name[:100]) for name in strangers[:SHOWN_STRANGERS])
        more = len(strangers) - SHOWN_STRANGERS
        message = f"Gold labels that are not among the job's labels: {shown}"
        message += f" and {more} more." if more > 0 else "."
        raise _refusal(pointer, "unknown-gold-label", message)


def _check_certification(body: JobCreate, rows: int) -> None:
    """At most half of what may be asked about: the rest is what is learned from."""
    if body.certification is None:
        return
    limits = {f"the {rows} texts of the dataset": rows}
    if body.budget.max_teacher_calls is not None:
        calls = body.budget.max_teacher_calls
        limits[f"the {calls} calls of `budget.max_teacher_calls`"] = calls
    for what, most in limits.items():
        if 2 * body.certification.rows > most:
            message = (
                f"{body.certification.rows} rows to certify with are more than half of {what}."
            )
            raise _refusal("/certification/rows", "certification-too-large", message)


def _check_size(body: JobCreate, rows: int) -> None:
    steps = sum(most_steps(candidate, rows) for candidate in body.candidates())
    if steps > MAX_STEPS:
        message = (
            f"{rows} texts in batches of {body.training.batch_size} would take up to {steps} "
            f"steps; at most {MAX_STEPS} are allowed. Take fewer epochs or larger batches."
        )
        raise ResourceLimit(message, errors=[ErrorItem("/training", "resource-limit", message)])


def _refusal(pointer: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed(message, errors=[ErrorItem(pointer, code, message)])
