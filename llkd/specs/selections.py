"""Which samples are worth a gradient step."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from llkd.specs.base import Spec

Momentum = Annotated[
    float | None,
    Field(
        gt=0,
        lt=1,
        description="Memory of the thresholds; null grows it as min(.99, (1+t)/(10+t)).",
    ),
]
Share = Annotated[float, Field(gt=0, le=1)]


class LlkdSelection(Spec):
    """Teacher confident and student uncertain, by thresholds that adapt a class."""

    kind: Literal["llkd"] = "llkd"
    labeling: Literal["eager", "lazy"] = Field(
        default="eager",
        description="`eager`: every text is labelled. `lazy`: a cheap student looks first, and "
        "the teacher is asked, round by round, about texts that it is unsure of and that are "
        "likely to be answered right, until `budget` or the gain of more answers is used up. "
        "Trained on are the answers bought.",
    )
    momentum: Momentum = None
    ragged: bool = Field(
        default=False,
        description="Learn from what is kept of a batch at once, however few; by default kept "
        "texts wait until `batch_size` of them make one step.",
    )


class TeacherConfidenceSelection(Spec):
    """LLKD's teacher gate alone: confident for its class, whatever the student knows."""

    kind: Literal["teacher_confidence"] = "teacher_confidence"
    momentum: Momentum = None


class StudentUncertaintySelection(Spec):
    """LLKD's student gate alone: uncertain for its class, however unsure the teacher."""

    kind: Literal["student_uncertainty"] = "student_uncertainty"
    momentum: Momentum = None


class FreeMatchSelection(Spec):
    """FreeMatch's self-adaptive threshold on the teacher's confidence."""

    kind: Literal["freematch"] = "freematch"
    momentum: Momentum = None


class ClassConfidenceSelection(Spec):
    """The teacher's most confident texts of every class, the same ones in each pass."""

    kind: Literal["class_confidence"] = "class_confidence"
    share: Share = Field(default=0.5, description="Of every class.")


class AllSelection(Spec):
    """Every pseudo-label, every epoch: the usual way, kept to compare with."""

    kind: Literal["all"] = "all"


class RandomSelection(Spec):
    """A random share of every batch: what LLKD must beat at the same size."""

    kind: Literal["random"] = "random"
    share: Share = Field(default=0.3, description="Of every batch.")


SingleSelection = Annotated[
    LlkdSelection
    | AllSelection
    | RandomSelection
    | ClassConfidenceSelection
    | TeacherConfidenceSelection
    | StudentUncertaintySelection
    | FreeMatchSelection,
    Field(discriminator="kind"),
]


class AutoSelection(Spec):
    """Several selections, each tried on the same answers; the best by the held-out score,
    which needs no gold, is kept."""

    kind: Literal["auto"] = "auto"
    candidates: Annotated[tuple[SingleSelection, ...], Field(strict=False)] = Field(
        default=(LlkdSelection(), ClassConfidenceSelection(), AllSelection()),
        min_length=2,
        max_length=8,
        description="Tried one after another, each as a job that asks for it alone would.",
    )

    @field_validator("candidates")
    @classmethod
    def _of_one_pool(cls, candidates: tuple[SingleSelection, ...]) -> tuple[SingleSelection, ...]:
        if len({candidate.model_dump_json() for candidate in candidates}) < len(candidates):
            raise ValueError("two candidates are the same")
        if any(isinstance(each, LlkdSelection) and each.labeling == "lazy" for each in candidates):
            raise ValueError("candidates learn from the same answers: none of them may be lazy")
        return candidates


SelectionSpec = Annotated[SingleSelection | AutoSelection, Field(discriminator="kind")]
