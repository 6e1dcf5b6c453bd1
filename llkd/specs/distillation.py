"""A whole distillation, and what is trained for it."""

from itertools import product
from typing import Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from llkd.specs.base import Spec
from llkd.specs.certification import CertificationSpec
from llkd.specs.selections import (
    AutoSelection,
    LlkdSelection,
    SelectionSpec,
    SingleSelection,
    StudentUncertaintySelection,
)
from llkd.specs.students import (
    EncoderSpec,
    SingleStudent,
    StudentChoice,
    StudentSpec,
    students_of,
)
from llkd.specs.task import TaskSpec
from llkd.specs.teachers import EnsembleTeacher, ProvidedTeacher, TeacherSpec
from llkd.specs.training import MAX_EPOCHS, TrainingSpec

MOST_CANDIDATES = 16


class Candidate(Spec):
    """One student to be trained, and how; a distillation has one, or several to choose from."""

    student: SingleStudent
    selection: SingleSelection
    training: TrainingSpec

    @property
    def learning_rate(self) -> float:
        """The one asked for, else the student's usual one."""
        return self.training.learning_rate or self.student.usual_learning_rate

    @property
    def asks_student(self) -> bool:
        """Whether the selection depends on what the student knows by then."""
        return isinstance(self.selection, LlkdSelection | StudentUncertaintySelection)

    def usual_length(self, *, pool_size: int) -> tuple[int, int | None]:
        """Passes over the pool, and optimizer steps, at which training ends.

        What the spec asks for, if it asks for either. Else three passes; a selection that
        asks the student keeps a part of each pass, and learns from 40 % as many samples as
        three whole passes have, but at least 75 steps of them, within eight passes. What was
        labelled lazily is all learned from, in eight passes: a quarter of the texts make two
        thirds of the steps of three passes over all of them.

        Returns:
            Passes, and steps or None for as many as the passes lead to.
        """
        training = self.training
        if training.epochs is not None or training.max_steps is not None:
            return training.epochs or MAX_EPOCHS, training.max_steps
        if getattr(self.selection, "labeling", None) == "lazy":
            return 8, None
        if self.asks_student:
            steps = 4 * 3 * pool_size // (10 * training.batch_size)
            return 8, max(75, steps)
        return 3, None


class DistillationSpec(TaskSpec):
    """A whole distillation: which labels, who teaches, who learns, on what, and how long."""

    teacher: TeacherSpec = Field(description="Who labels the texts.")
    student: StudentSpec = Field(default=EncoderSpec(), description="Who learns from them.")
    confidence: Literal["auto", "given", "estimated"] = Field(
        default="auto",
        description="Which confidence of the pseudo-labels counts: the teacher's own; one that a "
        "cheap model estimates from the pool; or, by default, the mean of those of the two that "
        "tell something, if any does. A few-shot teacher's is taken as it is.",
    )
    calibration: Literal["auto", "none", "temperature", "isotonic", "contextual"] = Field(
        default="auto",
        description="How the teacher's confidences are made truer. `temperature`: one number over "
        "its probabilities, fitted on 50 gold rows or more. `isotonic`: a line that never falls "
        "over its confidences, fitted on 200 or more. `contextual`: a language model's answers to "
        "texts that say nothing are taken out of its probabilities, and labels may change. "
        "`auto`: the better of the first two where there is enough gold of texts that are trained "
        "on, else the third where a language model gives probabilities. What gold says would make "
        "them less true is not done, and neither is what cannot be; the report says why.",
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
    certification: CertificationSpec | None = Field(
        default=None,
        description="Texts kept for certifying when the student may answer in the teacher's "
        "place. Null: those that measure and that the teacher answered serve, if there are any.",
    )

    @model_validator(mode="after")
    def _few_candidates(self) -> Self:
        if len(self.candidates()) > MOST_CANDIDATES:
            raise ValueError(
                f"{len(self.candidates())} pairs of a student and a selection are more than "
                f"{MOST_CANDIDATES}"
            )
        return self

    @field_validator("calibration")
    @classmethod
    def _can_be_asked(cls, calibration: str, info: ValidationInfo) -> str:
        is_not_one = isinstance(info.data.get("teacher"), ProvidedTeacher | EnsembleTeacher)
        if calibration == "contextual" and is_not_one:
            raise PydanticCustomError(
                "calibration-impossible",
                "contextual calibration asks one teacher about texts that say nothing; neither "
                "provided answers nor an ensemble can be asked so",
            )
        return calibration

    def candidates(self) -> tuple[Candidate, ...]:
        """What is trained, one after another: every student with every selection."""
        selection = self.selection
        selections = selection.candidates if isinstance(selection, AutoSelection) else (selection,)
        return tuple(
            Candidate(student=each, selection=chosen, training=self.training)
            for each, chosen in product(students_of(self.student), selections)
        )

    def resolved(self) -> Self:
        """The same spec with every default that depends on another field filled in.

        Several students keep a rate of their own each. How long it trains depends on the
        pool, too: see `Candidate.usual_length`.
        """
        if isinstance(self.student, StudentChoice):
            return self
        rate = self.training.learning_rate or self.student.usual_learning_rate
        training = self.training.model_copy(update={"learning_rate": rate})
        return self.model_copy(update={"training": training})
