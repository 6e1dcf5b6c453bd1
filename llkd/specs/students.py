"""Who learns."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, field_validator

from llkd.specs.base import OFFLINE_MODEL, ModelName, Revision, Spec

TokensRead = Annotated[
    int, Field(ge=8, le=8192, description="Tokens read of a text; longer ones are cut.")
]


class EncoderSpec(Spec):
    """A pretrained encoder that is fine-tuned."""

    kind: Literal["encoder"] = "encoder"
    model: ModelName = OFFLINE_MODEL
    revision: Revision = None
    max_length: TokensRead = 256
    trainable: Literal["top", "all"] = Field(
        default="top",
        description="What learns beside the head: the top third of the layers, at half the cost "
        "of an update and a third of a checkpoint, or all of them, which want a lower "
        "`learning_rate`.",
    )

    @property
    def usual_learning_rate(self) -> float:
        """The peak of the schedule where none is asked for."""
        return 3e-4 if self.trainable == "top" else 2e-4


class StaticSpec(Spec):
    """One vector a token, taken from an encoder once, and a small network on their mean: tens
    of times faster than the encoder on a CPU, and blind to the order of the words."""

    kind: Literal["static"] = "static"
    model: ModelName = OFFLINE_MODEL
    revision: Revision = None
    max_length: TokensRead = 256

    @property
    def usual_learning_rate(self) -> float:
        """The peak of the schedule where none is asked for."""
        return 3e-3


def _form(value: Any) -> str:
    """Which of the forms below is meant; without a word of it, an encoder or a choice."""
    if isinstance(value, Mapping):
        usual = "choice" if "candidates" in value else "encoder"
        return f"({value.get('kind', usual)})"
    return f"({getattr(value, 'kind', 'encoder')})"


# In parentheses, a tag is told from a field where a fault's place is named.
_Encoder = Annotated[EncoderSpec, Tag("(encoder)")]
_Static = Annotated[StaticSpec, Tag("(static)")]
SingleStudent = Annotated[
    _Encoder | _Static,
    Discriminator(
        _form,
        custom_error_type="unknown-student",
        custom_error_message="`kind` is `encoder` or `static`",
    ),
]


class StudentTarget(Spec):
    """What the served student has to hold."""

    p95_ms: float = Field(
        gt=0,
        le=60_000,
        allow_inf_nan=False,
        description="Milliseconds within which 95 % of the pool's texts are classified, one text "
        "a call on one thread of the worker that trained it.",
        examples=[10],
    )
    device: Literal["cpu"] = Field(default="cpu", description="Where it is served.")


class StudentChoice(Spec):
    """Several students, each trained on the same answers; the best one that holds the target
    is kept."""

    kind: Literal["choice"] = "choice"
    candidates: Annotated[tuple[SingleStudent, ...], Field(strict=False)] = Field(
        min_length=2,
        max_length=8,
        description="Trained one after another, each as a job that asks for it alone would.",
    )
    target: StudentTarget | None = Field(
        default=None,
        description="Of those that hold it, the one with the best held-out score is kept; if "
        "none does, the fastest. Null: the best score alone decides.",
    )

    @field_validator("candidates")
    @classmethod
    def _different(cls, candidates: tuple[SingleStudent, ...]) -> tuple[SingleStudent, ...]:
        if len({candidate.model_dump_json() for candidate in candidates}) < len(candidates):
            raise ValueError("two candidates are the same")
        return candidates


StudentSpec = Annotated[
    _Encoder | _Static | Annotated[StudentChoice, Tag("(choice)")],
    Discriminator(
        _form,
        custom_error_type="unknown-student",
        custom_error_message="`kind` is `encoder`, `static` or `choice`",
    ),
]


def students_of(student: StudentSpec) -> tuple[SingleStudent, ...]:
    """Those that are trained: all of a choice, or the one."""
    return student.candidates if isinstance(student, StudentChoice) else (student,)
