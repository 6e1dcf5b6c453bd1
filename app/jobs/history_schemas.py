"""How a training's curve and the map of its selection are told."""

from typing import Literal

from pydantic import Field

from app.jobs.schemas import EXAMPLE_JOB, Told


class ThresholdsRead(Told):
    """What the scores of each label had to reach then; null where the selection asks for none."""

    confidence: list[float] | None = Field(
        description="Of the teacher, in the order of `labels`.", examples=[[0.91, 0.84]]
    )
    uncertainty: list[float] | None = Field(
        description="Of the student, in the order of `labels`.", examples=[[0.31, 0.42]]
    )


class FramePlace(Told):
    """A batch that the map has a frame of."""

    number: int = Field(
        description="Batches before it, over all passes: what `frame` asks for.", examples=[120]
    )
    step: int = Field(description="Optimizer steps by then.", examples=[31])
    epoch: int = Field(description="Passes over the pool that were behind.", examples=[1])


class TrainingPointRead(Told):
    """Where a training stood, and what happened since the point before."""

    step: int = Field(description="Optimizer steps by then.", examples=[31])
    epoch: int = Field(description="Passes over the pool that were behind.", examples=[1])
    seconds: float = Field(description="That training had taken, breaks left out.", examples=[12.5])
    loss: float | None = Field(
        description="Mean loss of the optimizer steps since the point before; null if there was "
        "none.",
        examples=[0.61],
    )
    selected_fraction: float = Field(
        description="Share of the texts seen since the point before that was kept.",
        examples=[0.26],
    )
    held_out_score: float | None = Field(
        description="Macro-F1 of the newest look at held-out texts since the point before; null "
        "if there was none.",
        examples=[0.78],
    )
    thresholds: ThresholdsRead


class TrainingHistoryRead(Told):
    """The curve of one student's training."""

    object: Literal["training_history"] = Field(examples=["training_history"])
    job_id: str = Field(examples=[EXAMPLE_JOB])
    labels: list[str] = Field(description="The job's, in order.", examples=[["billing", "tech"]])
    candidate: int = Field(
        description="Place of the student among those of the job, from 0.", examples=[0]
    )
    candidates: int = Field(description="Students that were begun so far.", examples=[1])
    ended: bool = Field(description="Whether nothing more is to come.", examples=[False])
    points: list[TrainingPointRead] = Field(description="In order; the last one is the newest.")


class Quadrants(Told):
    """Texts of the batch by what they reached, each by its label's thresholds.

    An unknown confidence, and a score that the selection does not ask for, hold no text back:
    LLKD keeps exactly those that are `confident_uncertain`.
    """

    confident_uncertain: int = Field(examples=[9])
    confident_certain: int = Field(examples=[11])
    doubtful_uncertain: int = Field(examples=[7])
    doubtful_certain: int = Field(examples=[5])


class MapPoint(Told):
    """A text as the selector saw it."""

    index: int = Field(description="Place of the text in its dataset, from 0.", examples=[17])
    label: str = Field(description="The pseudo-label.", examples=["tech"])
    confidence: float | None = Field(
        description="The teacher's; null when unknown.", examples=[0.93]
    )
    uncertainty: float | None = Field(
        description="The student's, before it learned from the text; null when not asked for.",
        examples=[0.51],
    )
    kept: bool = Field(description="Whether it was worth a gradient step.", examples=[True])
    text: str | None = Field(
        description="Its first 200 characters; null once the dataset was deleted.",
        examples=["The app crashes when I log in"],
    )


class FrameRead(FramePlace):
    """One batch in front of the selector."""

    thresholds: ThresholdsRead
    seen: int = Field(description="Texts of the batch.", examples=[32])
    quadrants: Quadrants
    kept: int = Field(description="Those that were kept.", examples=[9])
    points: list[MapPoint] = Field(description="A sample of the batch, of at most 300 texts.")


class SelectionMapRead(Told):
    """What was selected, batch by batch: teacher's confidence against student's uncertainty."""

    object: Literal["selection_map"] = Field(examples=["selection_map"])
    job_id: str = Field(examples=[EXAMPLE_JOB])
    labels: list[str] = Field(description="The job's, in order.", examples=[["billing", "tech"]])
    candidate: int = Field(
        description="Place of the student among those of the job, from 0.", examples=[0]
    )
    candidates: int = Field(description="Students that were begun so far.", examples=[1])
    ended: bool = Field(description="Whether nothing more is to come.", examples=[False])
    frames: list[FramePlace] = Field(
        description="In order. A long training keeps every second one, every fourth and so on."
    )
    frame: FrameRead | None = Field(description="The one that was asked for.")
