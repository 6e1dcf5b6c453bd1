"""What a teacher's confidence is turned into so that it may be believed."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal

import numpy as np

from llkd.calibration import softmax
from llkd.pseudo_labels import PseudoLabels
from llkd.types import BoolArray, FloatArray, IntArray, Json

Method = Literal["temperature", "isotonic", "contextual"]

# What counts as impossible is taken to be one in a million: votes and truncated lists of
# tokens say 0 of labels that are right often enough, and 0 has no logarithm.
LEAST_PROBABILITY = 1e-6
# A few content-free answers cannot tell that a label is rarer than one in a hundred, and
# dividing by less would let that label win whatever the text says.
LEAST_CONTENT_FREE = 0.01

_ID_LENGTH = 12


@dataclass(frozen=True)
class Temperature:
    """Sharpens (below 1) or softens (above 1) whole distributions; their order stays.

    Source: Guo et al. (2017), arXiv 1706.04599: p'(k) is proportional to p(k)^(1/T).
    """

    temperature: float

    def covers(self, answers: PseudoLabels) -> BoolArray:
        return answers.distributed

    def apply(self, answers: PseudoLabels) -> PseudoLabels:
        probabilities = softmax(
            log_probabilities(answers.probabilities), temperature=self.temperature
        )
        confidence = probabilities[np.arange(len(answers)), answers.labels]
        return replace(answers, confidence=confidence, probabilities=probabilities)


@dataclass(frozen=True)
class Isotonic:
    """Reads a confidence off a line that never falls; the label stays.

    Where the other labels' probabilities are known, they share what is left in the
    proportions they had, or evenly if they had nothing. Another label may then have more
    than the given one: gold says that so unsure an answer is more often wrong than right.

    Attributes:
        given: the confidences at which the line is known, in [0, 1], increasing; one at least.
        right: the share of right labels at each, in [0, 1], never falling. Between two, the
            line is straight; outside of all, it is level.

    Source: Zadrozny & Elkan (2002); on the confidence of the label alone: ours.
    """

    given: tuple[float, ...]
    right: tuple[float, ...]

    def covers(self, answers: PseudoLabels) -> BoolArray:
        return answers.known

    def apply(self, answers: PseudoLabels) -> PseudoLabels:
        confidence: FloatArray = np.interp(answers.confidence, self.given, self.right)
        probabilities = _share_rest(answers.probabilities, answers.labels, confidence)
        return replace(answers, confidence=confidence, probabilities=probabilities)


@dataclass(frozen=True)
class Contextual:
    """Takes away the preference that a language model shows for some labels before it has
    read anything; labels may change.

    Attributes:
        content_free: [K], its mean answer to texts that say nothing, sums to 1.

    Source: Zhao et al. (2021), arXiv 2102.09690: p'(k) is proportional to p(k) / p_cf(k).
    """

    content_free: tuple[float, ...]

    def covers(self, answers: PseudoLabels) -> BoolArray:
        return answers.distributed

    def apply(self, answers: PseudoLabels) -> PseudoLabels:
        weighted = answers.probabilities / np.maximum(self.content_free, LEAST_CONTENT_FREE)
        probabilities = weighted / weighted.sum(axis=1, keepdims=True)
        return PseudoLabels(
            labels=probabilities.argmax(axis=1).astype(np.int64),
            confidence=probabilities.max(axis=1),
            probabilities=probabilities,
        )


Change = Temperature | Isotonic | Contextual
_CHANGES: Mapping[Method, Callable[..., Change]] = {
    "temperature": Temperature,
    "isotonic": Isotonic,
    "contextual": Contextual,
}


@dataclass(frozen=True)
class Calibration:
    """A change of a teacher's confidences, with a name of its own."""

    change: Change

    @property
    def method(self) -> Method:
        match self.change:
            case Temperature():
                return "temperature"
            case Isotonic():
                return "isotonic"
            case Contextual():
                return "contextual"

    @property
    def id(self) -> str:
        """Twelve hexadecimal digits that follow from the method and its parameters alone."""
        decides = json.dumps(self.to_json(), sort_keys=True)
        return hashlib.sha256(decides.encode()).hexdigest()[:_ID_LENGTH]

    @property
    def parameters(self) -> Json:
        """As JSON holds them."""
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self.change).items()
        }

    def covers(self, answers: PseudoLabels) -> BoolArray:
        """[N], which answers it can change; the others stay as they are."""
        return self.change.covers(answers)

    def apply(self, answers: PseudoLabels) -> PseudoLabels:
        """The same N answers, calibrated as far as `covers` says."""
        covered = self.covers(answers)
        return answers.changed(covered, by=self.change.apply(answers.take(covered)))

    def to_json(self) -> Json:
        return {"method": self.method, "parameters": self.parameters}

    @classmethod
    def from_json(cls, stored: Json) -> "Calibration":
        """What `to_json` made.

        Raises:
            ValueError: there is no such method.
        """
        method = stored["method"]
        if method not in _CHANGES:
            raise ValueError(f"there is no calibration by {method!r}")
        parameters = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in stored["parameters"].items()
        }
        return cls(_CHANGES[method](**parameters))


def log_probabilities(probabilities: FloatArray) -> FloatArray:
    """Their natural logarithms, of the same shape; finite also where a probability is 0."""
    logarithms: FloatArray = np.log(np.maximum(probabilities, LEAST_PROBABILITY))
    return logarithms


def _share_rest(probabilities: FloatArray, labels: IntArray, confidence: FloatArray) -> FloatArray:
    """[N, K], rows that sum to 1 with these confidences at the labels; unknown rows stay so."""
    own = np.arange(len(labels)), labels
    others = probabilities.copy()
    others[own] = 0.0
    # Of a label that was certain, the others have no proportions: they share evenly.
    others[others.sum(axis=1) == 0] = 1.0
    others[own] = 0.0
    rest = (1 - confidence) / others.sum(axis=1)
    shared: FloatArray = others * rest[:, None]
    shared[own] = np.where(np.isnan(rest), np.nan, confidence)
    return shared
