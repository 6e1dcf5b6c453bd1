"""How keeping a model's unsure texts is asked for, and how they are told."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from core.db.repositories.kept_texts import KeptReason
from core.db.tables import KeptTextRow

MOST_ROWS = 10_000
USUAL_ROWS = 1000
EXAMPLE_MODEL = "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"
DIGEST = "0d5c1b7c5a0f7b8e2f4c9a6d3e1b8f7a6c5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f"


class KeepingWrite(BaseModel):
    """Which texts of a model are kept from now on."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    below: float = Field(
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="A text is kept when the score of its best label is below this.",
        examples=[0.6],
    )
    max_rows: int = Field(
        default=USUAL_ROWS,
        ge=1,
        le=MOST_ROWS,
        description="How many different texts are kept at the most; of more, a fair lot among "
        "all of them. Lowered, what is over goes at once.",
        examples=[1000],
    )


class KeepingRead(BaseModel):
    """That a model's unsure texts are kept, and how many there are."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: Literal["text_keeping"] = Field(examples=["text_keeping"])
    model_id: str = Field(description="The immutable model.", examples=[EXAMPLE_MODEL])
    below: float = Field(description="As it was asked for.", examples=[0.6])
    max_rows: int = Field(description="As it was asked for.", examples=[1000])
    since: datetime = Field(
        description="When it was switched on.", examples=["2026-07-01T12:00:00Z"]
    )
    counts: dict[KeptReason, int] = Field(
        description="Texts that are there now, by reason: `low_confidence`, or `deferred` to a "
        "teacher.",
        examples=[{"low_confidence": 412, "deferred": 0}],
    )


class KeptTextRead(BaseModel):
    """A text that was kept, and what the model made of it when it first came."""

    id: str = Field(description="Of this text under this model.", examples=[DIGEST])
    object: Literal["kept_text"] = Field(examples=["kept_text"])
    text: str = Field(description="As it was asked about.", examples=["It did it again"])
    label: str = Field(description="The model's best label.", examples=["tech"])
    score: float = Field(description="Its probability.", examples=[0.41])
    reason: KeptReason = Field(examples=["low_confidence"])
    created_at: datetime = Field(
        description="When it was written down.", examples=["2026-07-01T12:00:00Z"]
    )

    @model_validator(mode="before")
    @classmethod
    def _read_row(cls, row: Any) -> Any:
        if not isinstance(row, KeptTextRow):
            return row
        told = {name: getattr(row, name) for name in ("text", "label", "score", "created_at")}
        return {"id": row.digest, "object": "kept_text", **told, "reason": KeptReason(row.reason)}


class KeptTextsRead(BaseModel):
    """A page of a model's kept texts, in an order that says nothing."""

    object: Literal["list"] = Field(examples=["list"])
    keeping: KeepingRead | None = Field(
        description="What is kept; null when it is switched off, and then there are no texts."
    )
    data: Sequence[KeptTextRead] = Field(description="The texts.")
    has_more: bool = Field(description="Whether a next page exists.", examples=[False])
    first_id: str | None = Field(
        description="Id of the first text, null on an empty page.", examples=[DIGEST]
    )
    last_id: str | None = Field(
        description="Pass it as `after` for the next page.", examples=[DIGEST]
    )
