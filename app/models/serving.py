"""What computes a model here and elsewhere, as it was measured."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from llkd.engine_choice import choose_for

EXAMPLE_REASON = "fastest that passed on 500 texts"


class Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class EngineRead(Told):
    """One engine on one machine; figures are null where it is absent."""

    engine: str = Field(description="What computes.", examples=["openvino_bf16"])
    state: Literal["reference", "passed", "failed", "absent"] = Field(
        description="Whether it could serve there.", examples=["passed"]
    )
    reason: str | None = Field(
        description="Why it failed or is absent; else null.",
        examples=["the package openvino is not installed"],
    )
    agreement: float | None = Field(
        description="Share of the texts with the reference's label.", examples=[0.998]
    )
    max_difference: float | None = Field(
        description="Largest gap to one of the reference's probabilities.", examples=[0.009]
    )
    accuracy: float | None = Field(
        description="Share of the texts with their validation label: gold, or the teacher's.",
        examples=[0.91],
    )
    batch_difference: float | None = Field(
        description="Largest gap of a probability between a text alone and among others.",
        examples=[0.0004],
    )
    batch_flips: int | None = Field(
        description="Texts whose label depends on their neighbours in a batch.", examples=[0]
    )
    texts_per_cpu_second: float | None = Field(
        description="In batches of similar length, per second of processor time.",
        examples=[474.0],
    )
    texts_per_second: float | None = Field(
        description="The same by the clock, of one caller.", examples=[310.0]
    )
    p50_ms: float | None = Field(
        description="Half of the texts take no longer alone, by the clock.", examples=[4.2]
    )


class MachineRead(Told):
    """What decides which engine is fast and exact: figures hold on equal machines."""

    processor: str = Field(description="Name and model.", examples=["AMD EPYC (family 26)"])
    flags: list[str] = Field(
        description="Instructions that engines use.", examples=[["avx2", "avx512_bf16"]]
    )
    gpus: list[str] = Field(description="NVIDIA GPUs.", examples=[[]])
    packages: dict[str, str] = Field(
        description="Runtimes and their versions.", examples=[{"onnxruntime": "1.32.0"}]
    )


class MeasuredRead(Told):
    """What was found on one machine."""

    machine: MachineRead = Field(description="Where.")
    measured_at: datetime = Field(description="When.", examples=["2026-07-01T12:00:00Z"])
    texts: int = Field(
        description="Validation texts compared; 0 where there were too few.", examples=[500]
    )
    chosen: str = Field(description="The fastest that passed.", examples=["openvino_bf16"])
    note: str | None = Field(
        description="Why nothing but the reference was looked at; else null.",
        examples=["37 validation texts are too few to compare engines on; 100 are needed"],
    )
    engines: list[EngineRead] = Field(description="The reference and the others.")


class ServingRead(Told):
    """What computes this model's predictions."""

    engine: str = Field(
        description="In the process that answers this request, from the next time that it loads "
        "the model.",
        examples=["openvino_bf16"],
    )
    reason: str = Field(description="Why this one.", examples=[EXAMPLE_REASON])
    not_quantized: str | None = Field(
        description="Why there is no int8 graph to measure; else null.",
        examples=["the packages openvino and nncf are not both installed"],
    )
    machines: list[MeasuredRead] = Field(
        description="What was measured, the newest last; none for models of earlier releases."
    )


def tell_serving(export: Mapping[str, Any], *, pinned: str) -> ServingRead:
    """What serves a model of this export here, and what was measured anywhere."""
    choice = choose_for(export, pinned=pinned)
    measured = export.get("engines") or {}
    return ServingRead(
        engine=choice.engine.value,
        reason=choice.reason,
        not_quantized=measured.get("not_quantized"),
        machines=[MeasuredRead.model_validate(each) for each in measured.get("machines", ())],
    )
