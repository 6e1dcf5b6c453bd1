"""What a language model says of the labels of one text."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from llkd.calibration import softmax
from llkd.types import FloatArray


class ScoringPath(StrEnum):
    """How the scores were found. All give the same ones, but for rounding."""

    PREFIX_TREE = "prefix_tree"
    """Text and all labels in one forward, over a prefix that was read once."""

    PREFIX_COPY = "prefix_copy"
    """Text after text, each over a copy of the prefix that was read once."""

    FULL_PROMPT = "full_prompt"
    """The whole prompt again for every label."""


@dataclass(frozen=True)
class LabelScores:
    """One text's scores.

    Attributes:
        log_probabilities: [K], in nats, float64: of each label's tokens and of the end
            after them, given the prompt.
        path: how they were found.
        prompt_tokens: tokens of the whole prompt, without a label.
    """

    log_probabilities: FloatArray
    path: ScoringPath
    prompt_tokens: int

    @property
    def probabilities(self) -> FloatArray:
        """[K], sum to 1: which label, if it is to be one of them."""
        return softmax(self.log_probabilities)

    @property
    def label_mass(self) -> float:
        """Probability that the model answers with any of the labels, in [0, 1]."""
        # The labels exclude one another; only rounding can carry their sum above 1.
        return min(1.0, float(np.exp(self.log_probabilities).sum()))
