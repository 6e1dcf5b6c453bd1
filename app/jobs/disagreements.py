"""Where teacher and student differ: what the evaluate stage kept, with the texts."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.jobs.errors import ReportNotReady
from app.jobs.finished import finished_stages
from app.jobs.schemas import EXAMPLE_DATASET, Told
from app.jobs.service import find_evaluation_rows, find_job, find_rows
from app.pages import InvalidCursor
from core.artifacts import ArtifactStore
from core.dataset_files import read_texts
from core.db.tables import JobRow
from core.ids import TenantId
from core.lifecycle import Stage
from core.measured_files import UNKNOWN, Measured, read_measured

Json = dict[str, Any]
Source = Literal["gold", "certification", "held_out"]


class DisagreementsReport(Told):
    """How often teacher and student differ; `GET /jobs/{id}/disagreements` lists where."""

    source: Source = Field(
        description="Which texts were compared; the student learned from none of them. `gold`: "
        "those that measure. Without any, `certification`: those that were drawn to certify. "
        "Without these, `held_out`: confident pseudo-labels that told when to stop, where the two "
        "differ less often than elsewhere.",
        examples=["gold"],
    )
    dataset_id: str = Field(description="The dataset they stand in.", examples=[EXAMPLE_DATASET])
    rows: int = Field(description="Texts that both answered.", examples=[1000])
    total: int = Field(description="Those with two different labels.", examples=[91])


class DisagreementRead(Told):
    """A text that teacher and student label differently."""

    id: str = Field(description="Its rank; pass it as `after`.", examples=["0"])
    index: int = Field(
        description="Place of the text in the dataset that the report's `disagreements` names, "
        "from 0.",
        examples=[17],
    )
    text: str = Field(
        description="As it stands in the dataset.", examples=["Refund for the crash?"]
    )
    teacher_label: str = Field(examples=["tech"])
    teacher_confidence: float | None = Field(
        description="The teacher's probability of its label; null when unknown.", examples=[0.97]
    )
    student_label: str = Field(examples=["billing"])
    student_score: float = Field(
        description="The student's probability of its label.", examples=[0.93]
    )
    gold: str | None = Field(description="Null where it is not known.", examples=["billing"])


@dataclass(frozen=True)
class DisagreementFiles:
    """Both answers, the texts, and the labels' names in order."""

    measured: Path | None
    rows: Path
    names: tuple[str, ...]


def tell_disagreements(job: JobRow, output: Json) -> DisagreementsReport | None:
    """What the evaluate stage left; None where nothing was compared, or by an earlier release."""
    told = output.get("disagreements")
    if told is None or not told["rows"]:
        return None
    return DisagreementsReport(dataset_id=_dataset_of(job, told["source"]), **told)


def find_files(
    session: Session, artifacts: ArtifactStore, tenant: TenantId, job_id: str
) -> DisagreementFiles:
    """Where both answers and the texts stand.

    Raises:
        NotFound: no such job.
        ReportNotReady: its evaluate stage is not done yet.
        NoResult: it never will be.
        Gone: the dataset with the texts was deleted, or the job's own, and the answers with it.
    """
    job = find_job(session, tenant, job_id)
    output = finished_stages(
        session, job, needed=Stage.EVALUATE, result="disagreements", not_ready=ReportNotReady
    )[Stage.EVALUATE].output
    told = output.get("disagreements")
    measured = None if told is None else artifacts.path(output["measured"])
    if measured is not None and not measured.exists():
        # It went with the job's own dataset, also where the texts stand in another.
        find_rows(session, artifacts, job)
    find = find_rows if told is None or told["source"] != "gold" else find_evaluation_rows
    return DisagreementFiles(
        measured=measured,
        rows=find(session, artifacts, job),
        names=tuple(label["name"] for label in job.spec["labels"]),
    )


def read_disagreements(files: DisagreementFiles, *, after: str | None, limit: int) -> Json:
    """A page of them, the surest first; without any for a job of an earlier release.

    Raises:
        InvalidCursor: `after` is no rank.
    """
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise InvalidCursor
    start = 0 if after is None else int(after) + 1
    shown: list[DisagreementRead] = []
    total = 0
    if files.measured is not None:
        measured = read_measured(files.measured)
        places = measured.disagreements()
        total, some = len(places), places[start : start + limit].tolist()
        texts = read_texts(files.rows, {int(measured.index[place]) for place in some})
        shown = [
            _tell(measured, place, rank=rank, texts=texts, names=files.names)
            for rank, place in enumerate(some, start)
        ]
    return {
        "object": "list",
        "data": shown,
        "has_more": start + len(shown) < total,
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
    }


def _tell(
    measured: Measured, place: int, *, rank: int, texts: dict[int, str], names: tuple[str, ...]
) -> DisagreementRead:
    index, gold = int(measured.index[place]), int(measured.gold[place])
    confidence = float(measured.confidence[place])
    return DisagreementRead(
        id=str(rank),
        index=index,
        text=texts[index],
        teacher_label=names[measured.teacher[place]],
        teacher_confidence=None if confidence != confidence else confidence,
        student_label=names[measured.student[place]],
        student_score=float(measured.score[place]),
        gold=None if gold == UNKNOWN else names[gold],
    )


def _dataset_of(job: JobRow, source: Source) -> str:
    if source == "gold" and job.evaluation_dataset_id is not None:
        return job.evaluation_dataset_id
    return job.dataset_id
