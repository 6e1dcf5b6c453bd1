"""The part of a report that tells how students were trained."""

from typing import Literal

from pydantic import Field

from app.jobs.evaluation_schemas import ShareRead
from app.jobs.schemas import Told
from core.lifecycle import StopReason


class Look(Told):
    """The student against the held-out slice, during training."""

    step: int = Field(description="Optimizer steps taken.", examples=[60])
    held_out_score: float = Field(description="Macro-F1.", examples=[0.91])


class DataPoint(Told):
    """How good the student was, and what it had learned from by then."""

    step: int = Field(description="Optimizer steps taken.", examples=[60])
    gradient_samples: int = Field(
        description="Texts of those steps, repeats included.", examples=[1920]
    )
    unique_samples: int = Field(
        description="Different texts among them: the teacher's answers that were used.",
        examples=[1105],
    )
    held_out_score: float = Field(description="Macro-F1 on the held-out slice.", examples=[0.91])


class TrainingReport(Told):
    pool: int = Field(description="Different texts that could be trained on.", examples=[3200])
    unique_samples: int = Field(description="Different texts trained on.", examples=[1310])
    gradient_samples: int = Field(description="Repeats included.", examples=[3104])
    steps: int = Field(description="Optimizer steps.", examples=[97])
    forwards: int = Field(description="Texts read without learning.", examples=[9600])
    epochs: float = Field(description="Passes over the pool that were made.", examples=[2.5])
    stop_reason: StopReason | None = Field(examples=["early_stopping"])
    ended: str = Field(description="The training loop's own word for it.", examples=["dry"])
    held_out_score: float | None = Field(
        description="Best macro-F1 on the held-out slice.", examples=[0.93]
    )
    averaged: bool = Field(
        description="Whether the student is the moving average of the weights, which scored "
        "better on the held-out slice than the newest ones.",
        examples=[True],
    )
    curve: list[Look] = Field(description="Every look at the held-out slice.")
    seconds: float = Field(description="Of the attempt that finished it.", examples=[61.4])


class SelectionReport(Told):
    kind: str = Field(
        description="As in the request; of `auto`, the one that was chosen; `all` in place of "
        "`llkd` where no confidence tells anything.",
        examples=["llkd"],
    )
    seen: int = Field(description="Texts decided on, repeats included.", examples=[9600])
    kept: int = Field(description="Those kept, repeats included.", examples=[3104])
    kept_fraction: float = Field(description="kept / seen.", examples=[0.32])
    unique_fraction: float = Field(
        description="Different texts trained on, as a share of the pool.", examples=[0.41]
    )


class ServingReport(Told):
    """What a student takes to serve: one text a call, on one thread of the worker's machine."""

    p50_ms: float = Field(description="Half of the texts take no longer.", examples=[6.5])
    p95_ms: float = Field(description="95 % of them take no longer.", examples=[9.6])
    size_bytes: int = Field(description="Of the files that are loaded.", examples=[90_771_837])


class TrainedStudent(Told):
    """What was trained; null for what its kind does not have."""

    kind: Literal["encoder", "static"] = Field(examples=["encoder"])
    model: str = Field(description="Its base model.", examples=["minilm"])
    revision: str | None = Field(description="Commit of a hub model.", examples=[None])
    max_length: int = Field(description="Tokens read of a text.", examples=[256])
    trainable: Literal["top", "all"] | None = Field(
        description="What learned beside the head.", examples=["top"]
    )


class UsedSelection(Told):
    """What decided which texts are worth a step; null for what its kind does not have."""

    kind: str = Field(examples=["llkd"])
    labeling: Literal["eager", "lazy"] | None = Field(examples=["eager"])
    momentum: float | None = Field(description="Null, too, for the usual one.", examples=[None])
    share: float | None = Field(description="Of the texts, which is kept.", examples=[None])


class CandidateReport(Told):
    """One student of those that were trained on the same answers."""

    student: TrainedStudent = Field(description="As asked.")
    selection: UsedSelection = Field(
        description="As asked; `all` in place of `llkd` where no confidence tells anything."
    )
    chosen: bool = Field(description="Whether it is the job's model.", examples=[True])
    holds_target: bool | None = Field(
        description="Whether it is within the target; null without one.", examples=[True]
    )
    pareto: bool = Field(
        description="Whether no other is at least as good by its held-out score, as fast and as "
        "small, and better in one of these.",
        examples=[True],
    )
    held_out_score: float | None = Field(
        description="What it was chosen by: macro-F1 of the final student on the held-out "
        "slice; null without one.",
        examples=[0.93],
    )
    macro_f1: ShareRead | None = Field(
        description="Against gold; it had no say in the choice. Null without gold labels."
    )
    serving: ServingReport | None = Field(
        description="Null where all candidates are served alike, and nothing was measured."
    )
    steps: int = Field(description="Optimizer steps.", examples=[97])
    gradient_samples: int = Field(description="Repeats included.", examples=[3104])
    unique_samples: int = Field(description="Different texts trained on.", examples=[1310])
    ended: str = Field(description="The training loop's own word for it.", examples=["finished"])
    seconds: float = Field(description="Of the attempt that finished it.", examples=[61.4])
