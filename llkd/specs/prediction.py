"""What can be asked of a model that answers a whole dataset."""

from typing import Literal

from pydantic import Field

from llkd.specs.base import Spec


class AnswerSpec(Spec):
    """How a text's probabilities become its answer."""

    top_k: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="How many labels to score, best first; null scores every label.",
        examples=[3],
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="Score that the best label must reach; below it the answer is `abstained`.",
        examples=[0.7],
    )
    on_low_confidence: Literal["return", "abstain"] = Field(
        default="return",
        description="Below `threshold`: `return` keeps the best label, `abstain` makes it null.",
        examples=["abstain"],
    )


class PredictionSpec(AnswerSpec):
    """A prediction as its job's row holds it.

    Attributes:
        reference: how the model was named in the request.
        model_id: the immutable model that this meant.
        rows: texts of the dataset.
    """

    reference: str
    model_id: str
    rows: int
