"""How a pseudo-label is told."""

from typing import Literal

from pydantic import Field

from app.jobs.schemas import Told
from app.negotiation import CSV, JSON_LINES, PARQUET
from core.label_files import Role

LabelledBy = Literal["teacher", "person"]
ExportFormat = Literal["jsonl", "csv", "parquet"]
MEDIA_TYPES: dict[ExportFormat, str] = {"jsonl": JSON_LINES, "csv": CSV, "parquet": PARQUET}


class LabelRead(Told):
    """What the teacher said of one text."""

    index: int = Field(description="Place of the text in its dataset, from 0.", examples=[0])
    text: str = Field(description="As it stands in the dataset.", examples=["I was charged twice"])
    role: Role = Field(
        description="Trained on, measured with, certified with, or left out because the "
        "evaluation dataset holds the same text.",
        examples=["train"],
    )
    status: str = Field(
        description="`answered`, or why there is no label: refused, malformed, too_long, "
        "failed, missing, or unasked (left out, or beyond the budget).",
        examples=["answered"],
    )
    label: str | None = Field(description="The pseudo-label.", examples=["billing"])
    confidence: float | None = Field(
        description="Probability of the label; null when unknown, 1 of a person's.",
        examples=[0.94],
    )
    confidence_source: str = Field(
        description="Where the confidence comes from; `none` when there is none, `person` where a "
        "person gave the label.",
        examples=["calibrated"],
    )
    probabilities: dict[str, float] | None = Field(
        description="Of every label; null when unknown.",
        examples=[{"billing": 0.94, "tech": 0.06}],
    )
    cached: bool = Field(description="Whether an earlier job had asked.", examples=[False])
    calibration_id: str | None = Field(
        description="The calibration that changed the confidence, as in the report; null when "
        "none did.",
        examples=["3f9a1c07be52"],
    )
    labelled_by: LabelledBy | None = Field(
        description="Whose label it is: a person's was given as a correction, with this job or "
        "with one whose answers it uses. Null without a label.",
        examples=["teacher"],
    )
