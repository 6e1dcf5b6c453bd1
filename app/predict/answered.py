"""What a model said of a request's texts."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.predict.names import ModelRef
from app.predict.reading import Reading
from llkd.types import BoolArray, FloatArray


@dataclass(frozen=True)
class Answered:
    """A model's answers to N texts.

    Attributes:
        model: the immutable model that answered.
        labels: its K labels, in the order of the probabilities.
        probabilities: [N, K], rows sum to 1.
        unsure: [N], whether the score of the best label is below its threshold.
        reading: how the texts were read.
    """

    model: ModelRef
    labels: Sequence[str]
    probabilities: FloatArray
    unsure: BoolArray
    reading: Reading
