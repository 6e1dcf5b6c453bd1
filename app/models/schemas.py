"""How a model is told."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class ModelRead(BaseModel):
    """A trained, registered student: immutable; only its aliases move."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(examples=["model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"])
    object: Literal["model"] = Field(examples=["model"])
    name: str = Field(description="As its job was named.", examples=["tickets"])
    version: int = Field(ge=1, description="Counts the models of this name.", examples=[3])
    aliases: list[str] = Field(
        description="Names that point at it now: predict with `name@alias`.", examples=[["latest"]]
    )
    labels: list[str] = Field(description="In the job's order.", examples=[["billing", "tech"]])
    base_model: str = Field(description="What the student was made from.", examples=["minilm"])
    metrics: dict[str, Any] = Field(
        description="Headline figures of its job.", examples=[{"macro_f1": 0.87}]
    )
    export: dict[str, Any] = Field(
        description="How closely the served model answers as the trained one.",
        examples=[{"max_difference": 0.000002}],
    )
    size_bytes: int = Field(description="Of all its files.", examples=[91_000_000])
    job_id: str = Field(description="What made it.", examples=["job_01JZ8Q1V7F2D9S3X6A4E8B0YCW"])
    created_at: datetime = Field(examples=["2026-07-01T12:00:00Z"])
