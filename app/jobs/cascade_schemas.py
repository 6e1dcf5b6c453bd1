"""How a report tells what the student could answer in its teacher's place."""

from typing import Literal

from pydantic import Field

from app.jobs.schemas import Told

WhyNoCascade = Literal[
    "not_exported", "no_texts", "too_few_texts", "parent_texts_unknown", "not_made"
]


class CascadePoint(Told):
    """What the student may answer so that the answers agree with the teacher's."""

    below: Literal["teacher", "nobody"] = Field(
        description="Who answers where a score is below its threshold. `teacher`: the agreement "
        "is the share of all texts whose answer equals the teacher's. `nobody`: it is the share "
        "of the student's own answers.",
        examples=["teacher"],
    )
    target: float = Field(description="The agreement that is promised.", examples=[0.95])
    delta: float = Field(
        description="The risk, over the draw of the texts, that it is not held.", examples=[0.05]
    )
    certified: bool = Field(
        description="Whether there is anything that the student may answer. If not, all goes to "
        "the teacher, or nothing is answered.",
        examples=[True],
    )
    coverage: float = Field(
        description="Share of the texts that the student answers.", examples=[0.62]
    )
    agreement: float | None = Field(
        description="As observed on the texts that certify; null where nothing is answered.",
        examples=[0.964],
    )
    bound: float | None = Field(
        description="Exact lower bound of it at these thresholds, never below the target; null "
        "where nothing is certified.",
        examples=[0.951],
    )
    thresholds: dict[str, float | None] = Field(
        description="By label, the score from which on the student answers; null for never.",
        examples=[{"billing": 0.71, "tech": 0.83}],
    )


class CascadeReport(Told):
    """What certified the student, and what it may answer at several targets."""

    rows: int = Field(
        description="Texts with a teacher's answer that the student did not learn from. Half of "
        "them fit the temperature and shape the thresholds, the others certify.",
        examples=[1000],
    )
    source: Literal["certification", "evaluation"] = Field(
        description="`certification`: drawn for it, as the request asked. `evaluation`: those "
        "with gold that measure.",
        examples=["certification"],
    )
    temperature: float = Field(
        description="What the served model's logits are divided by.", examples=[1.31]
    )
    ece_before: float = Field(
        description="Expected calibration error of its scores, against the teacher's answers to "
        "the texts that certify, without the temperature.",
        examples=[0.082],
    )
    ece_after: float = Field(description="With it.", examples=[0.021])
    curve: list[CascadePoint] = Field(
        description="Six targets, each with both meanings of agreement."
    )
