"""What a model said of a request's texts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.predict.names import ModelRef
from app.predict.reading import Reading
from llkd.types import Classified, FloatArray


@dataclass(frozen=True)
class Answered:
    """A model's answers to N texts.

    Attributes:
        model: the immutable model that answered.
        labels: its K labels, in the order of the probabilities.
        probabilities: [N, K], rows sum to 1.
        reading: how the texts were read.
    """

    model: ModelRef
    labels: Sequence[str]
    probabilities: FloatArray
    reading: Reading

    @property
    def classified(self) -> Classified:
        """The same without names."""
        truncated = np.array(self.reading.truncated, dtype=np.bool_)
        return Classified(self.probabilities, truncated, self.reading.tokens)
