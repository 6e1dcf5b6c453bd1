"""How a model and its aliases are told, and what moves an alias."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.models.serving import ServingRead

EXAMPLE_MODEL = "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"


class ModelRead(BaseModel):
    """A trained, registered student: immutable; only its aliases move."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(examples=[EXAMPLE_MODEL])
    object: Literal["model"] = Field(examples=["model"])
    name: str = Field(description="As its job was named.", examples=["tickets"])
    version: int = Field(ge=1, description="Counts the models of this name.", examples=[3])
    aliases: list[str] = Field(
        description="Names that point at it now: predict with `name@alias`.", examples=[["latest"]]
    )
    labels: list[str] = Field(description="In the job's order.", examples=[["billing", "tech"]])
    base_model: str = Field(description="What the student was made from.", examples=["minilm"])
    parent_model_id: str | None = Field(
        description="The model that its training started from; null: from the base model.",
        examples=["model_01JZ8P0E5S8H2Y6N4D7B3C9WTA"],
    )
    metrics: dict[str, Any] = Field(
        description="Headline figures of its job.", examples=[{"macro_f1": 0.87}]
    )
    export: dict[str, Any] = Field(
        description="How closely the served model answers as the trained one, the sizes of its "
        "files, and as `certification` on how many texts its temperature and thresholds rest, "
        "null without any.",
        examples=[
            {
                "parity": {"max_difference": 0.000002},
                "certification": {"rows": 1000, "source": "certification", "temperature": 1.31},
            }
        ],
    )
    serving: ServingRead = Field(description="What computes its predictions.")
    size_bytes: int = Field(description="Of all its files.", examples=[91_000_000])
    job_id: str = Field(description="What made it.", examples=["job_01JZ8Q1V7F2D9S3X6A4E8B0YCW"])
    created_at: datetime = Field(examples=["2026-07-01T12:00:00Z"])


class AliasRead(BaseModel):
    """A name of your own for one version: it moves, the model never does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: Literal["model_alias"] = Field(examples=["model_alias"])
    name: str = Field(description="Of the models it may point at.", examples=["tickets"])
    alias: str = Field(description="Predict with `name@alias`.", examples=["champion"])
    model_id: str = Field(description="What it points at now.", examples=[EXAMPLE_MODEL])
    version: int = Field(ge=1, description="The model's version.", examples=[3])
    moved_at: datetime = Field(examples=["2026-07-01T12:00:00Z"])


class AliasMoved(AliasRead):
    """The alias as it stands, and where it came from."""

    previous_model_id: str | None = Field(
        description="What it pointed at before this request: PUT that to go back. Null if new.",
        examples=["model_01JYZ0M2C8S4K6Q9B3H7T5W1XF"],
    )


class AliasPut(BaseModel):
    """Where an alias shall point."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model_id: str = Field(
        max_length=200,
        description="A model of this name, by its id; `GET /models?name=…` lists them.",
        examples=[EXAMPLE_MODEL],
    )
