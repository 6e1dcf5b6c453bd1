"""How answers are told that were measured against gold."""

from pydantic import Field

from app.jobs.calibration_schemas import ReliabilityBinRead
from app.jobs.schemas import Told

CONFUSION = [[40, 3], [5, 52]]


class ShareRead(Told):
    """A share with its 95 % interval."""

    value: float = Field(ge=0, le=1, examples=[0.87])
    low: float = Field(ge=0, le=1, examples=[0.79])
    high: float = Field(ge=0, le=1, examples=[0.92])


class LabelScores(Told):
    """One label against gold; null where nothing was there to divide by."""

    label: str = Field(examples=["billing"])
    precision: float | None = Field(examples=[0.89])
    recall: float | None = Field(examples=[0.93])
    f1: float | None = Field(examples=[0.91])
    support: int = Field(description="Texts whose gold label it is.", examples=[43])
    predicted: int = Field(description="Texts that were given it.", examples=[45])
    unanswered: int = Field(description="Texts of it without an answer.", examples=[0])


class BelievedRead(Told):
    """How far confidences may be believed."""

    rows: int = Field(description="Answers with a known confidence.", examples=[1000])
    mean_confidence: float = Field(description="Over those.", examples=[0.91])
    ece: float = Field(
        description="Expected calibration error over `bins`: by how much a confidence misses the "
        "share of right labels, on average.",
        examples=[0.06],
    )
    bins: list[ReliabilityBinRead] = Field(
        description="The reliability diagram: fifteen bins of equal width, in order."
    )
    auroc: float | None = Field(
        description="Chance that a right answer has the higher confidence than a wrong one, ties "
        "counted half. Null when all are right, or all wrong.",
        examples=[0.84],
    )
    distinct: int = Field(description="Different values.", examples=[812])


class EvaluationRead(Told):
    """Answers against gold labels."""

    rows: int = Field(description="Texts with gold.", examples=[1000])
    unanswered: int = Field(
        description="Those without an answer; they count as wrong.", examples=[0]
    )
    accuracy: ShareRead = Field(description="Texts that got their gold label.")
    macro_f1: ShareRead = Field(
        description="Mean F1 of the labels that occur, in gold or among the answers."
    )
    per_class: list[LabelScores] = Field(description="In the order of the job's labels.")
    confusion: list[list[int]] = Field(
        description="Gold by answer, in the order of the job's labels; answered texts only.",
        examples=[CONFUSION],
    )
    calibration: BelievedRead | None = Field(description="Null where no confidence is known.")


class StudentEvaluation(EvaluationRead):
    """A student's answers against gold labels."""

    agreement_with_teacher: float | None = Field(
        description="The share of the same texts that got the teacher's label, of those that both "
        "answered; null where the teacher answered none.",
        examples=[0.91],
    )
