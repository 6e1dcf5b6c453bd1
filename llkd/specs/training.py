"""How a student learns."""

from typing import Literal

from pydantic import Field

from llkd.specs.base import Spec

MAX_EPOCHS = 1000


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
        default=42,
        ge=0,
        le=2**32 - 1,
        description="The same seed gives the same student where `deterministic` holds.",
    )
    early_stopping: bool = Field(
        default=True,
        description="Keep the last weights that score as well on held-out texts as any before, "
        "and end earlier when a selection that asks the student keeps hardly anything.",
    )
    device: Literal["auto", "cpu", "gpu"] = Field(
        default="auto", description="Which workers may take the job."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="In which numbers matrices are multiplied while it learns; `auto`: bfloat16 on "
        "a GPU that has units for it, else float32. What is served is float32 in any case.",
    )
    deterministic: bool = Field(
        default=False,
        description="On a GPU: take the kernels that repeat themselves to the bit, which are "
        "slower. A CPU always does.",
    )
