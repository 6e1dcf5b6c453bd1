"""Ways to choose thresholds from certification texts: ours, and two without a bound."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

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
class Split:
    """Certification texts, and others on which thresholds are judged.

    What does not depend on the target is worked out once.

    Attributes:
        certification, others: as the student answers them at temperature 1.
        shaping, certifying, fresh: the halves of the first, and the others, at the temperature
            that was fitted on `shaping`.
    """

    class_count: int
    certification: Observed
    others: Observed
    shaping: Observed
    certifying: Observed
    fresh: Observed

    @classmethod
    def of(cls, logits: FloatArray, labels: IntArray, *, drawn: IntArray, others: IntArray) -> Self:
        """Split [N, K] logits, whose teacher says `labels`, by the places of the texts."""
        first, second = halve(len(drawn))
        shaping = drawn[first]
        temperature = fit_temperature(logits[shaping], labels[shaping], expected=1.0)

        def observed(places: IntArray, temperature: float) -> Observed:
            probabilities = softmax(logits[places], temperature=temperature)
            predicted = probabilities.argmax(axis=1)
            return Observed(predicted, probabilities.max(axis=1), predicted == labels[places])

        return cls(
            class_count=logits.shape[1],
            certification=observed(drawn, 1.0),
            others=observed(others, 1.0),
            shaping=observed(shaping, temperature),
            certifying=observed(drawn[second], temperature),
            fresh=observed(others, temperature),
        )


class Rule(Protocol):
    """Chooses thresholds from a split's certification texts; what becomes of the others."""

    def __call__(self, split: Split, *, target: float, delta: float, below: Below) -> Answered: ...


def _certified(split: Split, *, target: float, delta: float, below: Below) -> Answered:
    cascade = certify(
        split.shaping,
        split.certifying,
        class_count=split.class_count,
        target=target,
        delta=delta,
        below=below,
    )
    return _judge(split.fresh, cascade.thresholds, below)


@dataclass(frozen=True)
class _Observed:
    """Thresholds as low as the observed agreement allows, whatever the risk."""

    lowest: Callable[[Observed, float, Below, int], FloatArray]

    def __call__(self, split: Split, *, target: float, delta: float, below: Below) -> Answered:
        thresholds = self.lowest(split.certification, target, below, split.class_count)
        return _judge(split.others, thresholds, below)


def _judge(observed: Observed, thresholds: FloatArray, below: Below) -> Answered:
    given = observed.answered(thresholds)
    if below is Below.TEACHER:
        return Answered(float(given.mean()), 1 - float((given & ~observed.agrees).mean()))
    agreement = float(observed.agrees[given].mean()) if given.any() else None
    return Answered(float(given.mean()), agreement)


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
