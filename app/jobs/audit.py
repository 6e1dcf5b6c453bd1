"""The audit of a job's pseudo-labels: what the evaluate stage listed, with the texts."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import Field
from sqlalchemy.orm import Session

from app.jobs.errors import AuditNotReady
from app.jobs.finished import finished_stages
from app.jobs.schemas import EXAMPLE_JOB, Told
from app.jobs.service import find_job, find_rows
from core.artifacts import ArtifactStore
from core.dataset_files import read_texts
from core.ids import TenantId
from core.lifecycle import Stage

Json = dict[str, Any]
# More than a student reads of a text, and enough to judge its label by; up to 500 texts come at
# once, and nothing else bounds them.
SHOWN_CHARACTERS = 2000


class AuditedText(Told):
    """A text with its pseudo-label."""

    index: int = Field(description="Place of the text in its dataset, from 0.", examples=[17])
    text: str = Field(description="Its first 2,000 characters.", examples=["Refund for the crash?"])
    label: str = Field(description="The pseudo-label.", examples=["tech"])


class JudgedText(AuditedText):
    """What speaks for the pseudo-label, and what against it."""

    teacher_confidence: float | None = Field(description="The teacher's own.", examples=[0.51])
    estimated_confidence: float | None = Field(
        description="Probability of the label by a cheap model that never saw the text.",
        examples=[0.22],
    )
    student_label: str | None = Field(
        description="What the student said last, before it learned from the text; null if it "
        "never met it.",
        examples=["billing"],
    )
    student_likelihood: float | None = Field(
        description="Probability of the pseudo-label by the student, mean over its readings.",
        examples=[0.12],
    )
    student_spread: float | None = Field(
        description="Standard deviation over the readings.", examples=[0.05]
    )
    readings: int = Field(description="How often the student met the text.", examples=[4])
    agreed: int = Field(description="How often it said what the teacher said.", examples=[0])


class LikelyWrong(JudgedText):
    suggested: str = Field(description="A likelier label.", examples=["billing"])
    suspicion: float = Field(
        description="Mean rank by what speaks against the label, among the texts with the same "
        "one: 1 is the most doubtful.",
        ge=0,
        le=1,
        examples=[0.97],
    )


class Unfitting(JudgedText):
    certainty: float = Field(
        description="How far the surest of teacher, student and cheap model is from a blind "
        "guess: 0 not at all, 1 certain.",
        examples=[0.2],
    )


class ContradictionRead(Told):
    """Two texts that say almost the same under different labels; the first is more doubtful."""

    similarity: float = Field(
        description="Cosine of their character sequences.", ge=0, le=1, examples=[0.93]
    )
    first: AuditedText = Field(description="The more doubtful one.")
    second: AuditedText = Field(description="The one most like it.")


class OverlapRead(Told):
    """Two labels that the student takes for each other."""

    labels: tuple[str, str] = Field(examples=[["billing", "tech"]])
    texts: int = Field(
        description="Labelled with one of them and read as the other.", examples=[31]
    )
    share: float = Field(description="Of all texts with either label.", examples=[0.08])


class AuditTotals(Told):
    """How many there are of each, also beyond what is listed."""

    likely_wrong: int = Field(examples=[212])
    contradictions: int = Field(examples=[9])
    overlapping_labels: int = Field(examples=[3])
    unfitting: int = Field(examples=[40])


class AuditRead(Told):
    """What is odd among the pseudo-labels; each list has its oddest entries first."""

    object: Literal["audit"] = Field(examples=["audit"])
    job_id: str = Field(examples=[EXAMPLE_JOB])
    texts: int = Field(description="Pseudo-labels that were looked at.", examples=[3200])
    read: int = Field(description="Those that the student met in training.", examples=[3100])
    totals: AuditTotals = Field(description="How many there are of each, listed or not.")
    likely_wrong: list[LikelyWrong] = Field(
        description="Pseudo-labels with a likelier one, the most doubtful first."
    )
    contradictions: list[ContradictionRead] = Field(
        description="Near-duplicates with different labels, the most alike first."
    )
    overlapping_labels: list[OverlapRead] = Field(
        description="Pairs of labels that are taken for each other, the most entangled first."
    )
    unfitting: list[Unfitting] = Field(
        description="Texts that no label fits, the least certain first."
    )


@dataclass(frozen=True)
class AuditFiles:
    """A job's stored audit, and its dataset, which has the texts."""

    job_id: str
    rows: Path
    audit: Path


def find_files(
    session: Session, artifacts: ArtifactStore, tenant: TenantId, job_id: str
) -> AuditFiles:
    """Where a job's audit and texts stand.

    Raises:
        NotFound: no such job.
        AuditNotReady: its evaluate stage is not done yet.
        NoResult: it never will be.
        Gone: its dataset was deleted, and the texts with it.
    """
    job = find_job(session, tenant, job_id)
    done = finished_stages(
        session, job, needed=Stage.EVALUATE, result="an audit", not_ready=AuditNotReady
    )[Stage.EVALUATE]
    return AuditFiles(
        job.id,
        rows=find_rows(session, artifacts, job),
        audit=artifacts.path(done.output["audit"]),
    )


def read_audit(files: AuditFiles, *, limit: int) -> AuditRead:
    """The first `limit` entries of each list."""
    stored = orjson.loads(files.audit.read_bytes())
    lists = {name: entries[:limit] for name, entries in stored["lists"].items()}
    mentioned = [text for entries in lists.values() for text in _texts_of(entries)]
    texts = read_texts(files.rows, {text["index"] for text in mentioned})
    for text in mentioned:
        text["text"] = texts[text["index"]][:SHOWN_CHARACTERS]
    return AuditRead(
        object="audit",
        job_id=files.job_id,
        texts=stored["texts"],
        read=stored["read"],
        totals=stored["totals"],
        **lists,
    )


def _texts_of(entries: list[Json]) -> Iterator[Json]:
    """The parts of these entries that tell of one text."""
    for entry in entries:
        if "index" in entry:
            yield entry
        for part in ("first", "second"):
            if part in entry:
                yield entry[part]
