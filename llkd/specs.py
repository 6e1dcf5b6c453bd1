"""What can be asked of a distillation, typed and validated.

These are also the documented fields of `POST /jobs`: a job's spec is exactly one
`DistillationSpec`, and everything the service adds stands outside it.
"""

import unicodedata
from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

MAX_LABELS = 1000
MAX_EPOCHS = 1000
OFFLINE_MODEL = "minilm"


class Spec(BaseModel):
    """Frozen; refuses unknown fields and quiet conversions ("3" is not 3)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
ModelName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(
        description="`minilm` (offline), a Hugging Face id `owner/name`, or `local/NAME`: a folder "
        "below LLKD_MODELS_DIR. Safetensors only; no remote code.",
        examples=[OFFLINE_MODEL],
    ),
]


def label_key(name: str) -> str:
    """The form under which two label names count as the same one."""
    return unicodedata.normalize("NFKC", name).casefold().strip()


class Label(Spec):
    """One class, as told to the teacher."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        examples=["billing"]
    )
    description: Annotated[str, StringConstraints(max_length=2000)] = Field(
        default="", examples=["Invoices and refunds"]
    )
    # JSON has no tuple: under `strict` a list would be refused where one is declared.
    examples: Annotated[tuple[Text, ...], Field(strict=False, max_length=1000)] = Field(
        default=(), examples=[["I was charged twice"]]
    )

    @field_validator("name")
    @classmethod
    def _printable(cls, value: str) -> str:
        if not value.strip() or value != value.strip():
            raise ValueError("a label may not be blank, nor begin or end with a space")
        if any(unicodedata.category(character)[0] == "C" for character in value):
            raise ValueError("a label may not contain control or invisible characters")
        return value


class FewShotTeacher(Spec):
    """A local teacher that needs no key: embeddings, and a classifier fitted on the labels'
    names, descriptions and examples. Its probabilities are calibrated by cross-validation."""

    kind: Literal["few_shot"] = "few_shot"
    model: ModelName = OFFLINE_MODEL
    revision: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{40}$",
        description="Commit of a hub model; required for a Hugging Face id.",
    )


class ProvidedTeacher(Spec):
    """Answers made elsewhere: the dataset's teacher columns."""

    kind: Literal["provided"] = "provided"


TeacherSpec = Annotated[FewShotTeacher | ProvidedTeacher, Field(discriminator="kind")]


class StudentSpec(Spec):
    """The encoder that learns."""

    model: ModelName = OFFLINE_MODEL
    revision: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{40}$",
        description="Commit of a hub model; required for a Hugging Face id.",
    )
    max_length: int = Field(
        default=256, ge=8, le=8192, description="Tokens read of a text; longer ones are cut."
    )
    trainable: Literal["top", "all"] = Field(
        default="top",
        description="What learns beside the head: the top third of the layers, at half the cost "
        "of an update and a third of a checkpoint, or all of them, which want a lower "
        "`learning_rate`.",
    )


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


class TrainingSpec(Spec):
    """How long and how fast the student learns."""

    epochs: int | None = Field(
        default=None,
        ge=1,
        le=MAX_EPOCHS,
        description="Passes over the pool at the most; null: as many as `max_steps` takes, else 8 "
        "for a selection that asks the student and 3 for others.",
    )
    max_steps: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Optimizer steps at the most; null: as many as `epochs` leads to, else 40 % of "
        "those of 3 whole passes, and at least 75, for a selection that asks the student, and no "
        "limit for others.",
    )
    batch_size: int = Field(default=32, ge=1, le=4096, description="Texts an optimizer step.")
    learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="The highest of its schedule; null: 3e-4 if the top layers learn, 2e-4 if all "
        "of them do.",
    )
    weight_decay: float = Field(
        default=0.01, ge=0, le=1, allow_inf_nan=False, description="AdamW's."
    )
    seed: int = Field(
        default=42, ge=0, le=2**32 - 1, description="The same seed gives the same student on a CPU."
    )
    early_stopping: bool = Field(
        default=True,
        description="Keep the last weights that score as well on held-out texts as any before, "
        "and end earlier when a selection that asks the student keeps hardly anything.",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="Which workers may take the job."
    )


class DistillationSpec(Spec):
    """A whole distillation: which labels, who teaches, who learns, on what, and how long."""

    labels: Annotated[
        tuple[Label, ...],
        Field(strict=False, min_length=2, max_length=MAX_LABELS, description="What a text can be."),
    ]
    instruction: Annotated[str, StringConstraints(max_length=20_000)] = Field(
        default="", examples=["Route the support ticket."]
    )
    teacher: TeacherSpec = Field(description="Who labels the texts.")
    student: StudentSpec = Field(default=StudentSpec(), description="Who learns from them.")
    confidence: Literal["auto", "given", "estimated"] = Field(
        default="auto",
        description="Which confidence of the pseudo-labels counts: the teacher's own; one that a "
        "cheap model estimates from the pool; or, by default, the teacher's where it is known "
        "and tells something, else the estimated one where that does, else none.",
    )
    prior: Literal["auto", "given", "estimated"] = Field(
        default="auto",
        description="Whether the teacher's answers are corrected for how often each label occurs, "
        "which its probabilities over the whole pool tell without gold. `auto`: those of a "
        "few-shot teacher, whose examples say nothing of it. `estimated`: those of a `provided` "
        "teacher with probabilities, too, taken to expect every label equally often.",
    )
    selection: SelectionSpec = Field(
        default=LlkdSelection(), description="Which samples are worth a gradient step."
    )
    training: TrainingSpec = Field(default=TrainingSpec(), description="How it learns.")

    @field_validator("labels")
    @classmethod
    def _distinct(cls, labels: tuple[Label, ...]) -> tuple[Label, ...]:
        seen: dict[str, str] = {}
        for label in labels:
            other = seen.setdefault(label_key(label.name), label.name)
            if other is not label.name:
                raise PydanticCustomError(
                    "duplicate-label",
                    "the labels {first} and {second} cannot be told apart",
                    {"first": other, "second": label.name},
                )
        return labels

    @model_validator(mode="after")
    def _storable(self) -> Self:
        # A NUL or half a surrogate pair fits no database; refused here, it never reaches one.
        for text in (self.instruction, *self._texts()):
            if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
                raise ValueError("texts may not contain NUL or lone surrogates")
        return self

    def _texts(self) -> Iterator[str]:
        for label in self.labels:
            yield from (label.name, label.description, *label.examples)

    @property
    def label_names(self) -> tuple[str, ...]:
        return tuple(label.name for label in self.labels)

    def candidates(self) -> tuple[Self, ...]:
        """What is trained, one after another: this, or one for each candidate of `auto`."""
        if not isinstance(self.selection, AutoSelection):
            return (self,)
        return tuple(
            self.model_copy(update={"selection": selection})
            for selection in self.selection.candidates
        )

    def resolved(self) -> Self:
        """The same spec with every default that depends on another field filled in.

        How long it trains depends on the pool, too: see `usual_length`.
        """
        rate = self.training.learning_rate or (3e-4 if self.student.trainable == "top" else 2e-4)
        training = self.training.model_copy(update={"learning_rate": rate})
        return self.model_copy(update={"training": training})


def asks_student(spec: DistillationSpec) -> bool:
    """Whether the selection of one candidate depends on what the student knows by then."""
    return isinstance(spec.selection, LlkdSelection | StudentUncertaintySelection)


def usual_length(spec: DistillationSpec, *, pool_size: int) -> tuple[int, int | None]:
    """Passes over the pool, and optimizer steps, at which training of one candidate ends.

    What the spec asks for, if it asks for either. Else three passes; a selection that asks
    the student keeps a part of each pass, and learns from 40 % as many samples as three whole
    passes have, but at least 75 steps of them, within eight passes.

    Returns:
        Passes, and steps or None for as many as the passes lead to.
    """
    training = spec.training
    if training.epochs is not None or training.max_steps is not None:
        return training.epochs or MAX_EPOCHS, training.max_steps
    if asks_student(spec):
        steps = 4 * 3 * pool_size // (10 * training.batch_size)
        return 8, max(75, steps)
    return 3, None
