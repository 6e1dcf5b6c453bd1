"""Ways to choose thresholds from certification texts: ours, and two without a bound."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llkd.calibration import fit_temperature, softmax
from llkd.cascade import Below, certify, halve
from llkd.threshold_path import Observed
from llkd.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class Answered:
    """What becomes of some texts; the agreement is None where no answer is given."""

    coverage: float
    agreement: float | None


@dataclass(frozen=True)
class Chosen:
    """Thresholds by label over scores at a temperature."""

    thresholds: FloatArray
    temperature: float

    def on(self, logits: FloatArray, labels: IntArray, below: Below) -> Answered:
        """What becomes of these texts, whose teacher says `labels`."""
        observed = observe(logits, labels, temperature=self.temperature)
        given = observed.answered(self.thresholds)
        if below is Below.TEACHER:
            return Answered(float(given.mean()), 1 - float((given & ~observed.agrees).mean()))
        agreement = float(observed.agrees[given].mean()) if given.any() else None
        return Answered(float(given.mean()), agreement)


class Rule(Protocol):
    """From N certification texts to thresholds."""

    def __call__(
        self, logits: FloatArray, labels: IntArray, *, target: float, delta: float, below: Below
    ) -> Chosen: ...


def observe(logits: FloatArray, labels: IntArray, *, temperature: float = 1.0) -> Observed:
    """Compare the student's answers with the teacher's."""
    probabilities = softmax(logits, temperature=temperature)
    predicted = probabilities.argmax(axis=1)
    return Observed(predicted, probabilities.max(axis=1), predicted == labels)


def _certified(
    logits: FloatArray, labels: IntArray, *, target: float, delta: float, below: Below
) -> Chosen:
    shaping, certifying = halve(len(labels))
    temperature = fit_temperature(logits[shaping], labels[shaping], expected=1.0)
    cascade = certify(
        observe(logits[shaping], labels[shaping], temperature=temperature),
        observe(logits[certifying], labels[certifying], temperature=temperature),
        class_count=logits.shape[1],
        target=target,
        delta=delta,
        below=below,
    )
    return Chosen(cascade.thresholds, temperature)


@dataclass(frozen=True)
class _Observed:
    """Thresholds as low as the observed agreement allows, whatever the risk."""

    lowest: Callable[[Observed, float, Below, int], FloatArray]

    def __call__(
        self, logits: FloatArray, labels: IntArray, *, target: float, delta: float, below: Below
    ) -> Chosen:
        return Chosen(self.lowest(observe(logits, labels), target, below, logits.shape[1]), 1.0)


def _for_all(observed: Observed, target: float, below: Below, class_count: int) -> FloatArray:
    """One threshold for all labels."""
    lowest = _lowest(observed.score, observed.agrees, target=target, below=below)
    return np.full(class_count, lowest)


def _by_label(observed: Observed, target: float, below: Below, class_count: int) -> FloatArray:
    """The same for each label by itself, on the texts that get it; none for one without any."""
    thresholds = np.full(class_count, np.inf)
    for label in range(class_count):
        own = observed.predicted == label
        if own.any():
            thresholds[label] = _lowest(
                observed.score[own], observed.agrees[own], target=target, below=below
            )
    return thresholds


def _lowest(score: FloatArray, agrees: BoolArray, *, target: float, below: Below) -> float:
    """The lowest threshold at which the observed agreement is not below the target."""
    order = np.argsort(-score, kind="stable")
    wrong = np.cumsum(~agrees[order])
    given = np.arange(1, len(order) + 1)
    out_of = len(order) if below is Below.TEACHER else given
    # Tied scores are answered together, so a threshold stands at the last of them.
    ends = np.append(np.diff(score[order]) != 0, True)
    holds = np.flatnonzero((1 - wrong / out_of >= target) & ends)
    return float(score[order][holds[-1]]) if len(holds) else float("inf")


RULES: dict[str, Rule] = {
    "certified": _certified,
    "one threshold, observed": _Observed(_for_all),
    "by label, observed": _Observed(_by_label),
}
