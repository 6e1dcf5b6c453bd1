"""Which calibration does a teacher's confidence get, and does it make it truer?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from llkd.calibration_fitting import FittedMethod, contextual, fit, fittable
from llkd.confidence_figures import ConfidenceFigures, confidence_figures
from llkd.pseudo_labels import PseudoLabels
from llkd.teacher_calibration import Calibration
from llkd.types import FloatArray, IntArray

Wish = Literal["auto", "none", "temperature", "isotonic", "contextual"]
# Of which rows the gold is: such as are trained on, or those that measure the result.
GoldRole = Literal["trained_on", "measuring"]
Reason = Literal[
    "improved",
    "unchecked",
    "not_wanted",
    "no_confidence",
    "no_probabilities",
    "no_content_free_answers",
    "too_little_gold",
    "no_gain",
]

FOLDS = 5
# On fewer answers with gold, a confidence is not measured.
FEWEST_MEASURED = 50


@dataclass(frozen=True)
class GoldAnswers:
    """N answers whose gold label is known.

    Attributes:
        gold: [N], in 0..K-1.
    """

    role: GoldRole
    answers: PseudoLabels
    gold: IntArray


@dataclass(frozen=True)
class Evidence:
    """All that tells how a teacher is calibrated.

    Attributes:
        gold: in the order in which it is preferred.
        known: answers with a known confidence, gold or not.
        distributed: answers with the probability of every label.
        content_free: [M, K], answers to texts that say nothing; None if it was not asked.
    """

    gold: Sequence[GoldAnswers]
    known: int
    distributed: int
    content_free: FloatArray | None = None


@dataclass(frozen=True)
class Trial:
    """One calibration, measured on gold that had no part in what each answer was changed by.

    Attributes:
        calibration: fitted on all of it.
        figures: of answers that were each changed without their own gold.
        folds: the calibrations that did so; none for one that takes no gold.
        fold: [N], the place in `folds` of the one that did not see the answer; None without.
    """

    calibration: Calibration
    figures: ConfidenceFigures
    folds: tuple[Calibration, ...] = ()
    fold: IntArray | None = None


@dataclass(frozen=True)
class CalibrationChoice:
    """What was chosen, and why.

    Attributes:
        calibration: None to leave every answer as it is.
        chosen: the trial of that calibration; None if it was not tried on gold.
        measured_on: the gold of all figures; None without enough of it.
        before: None without enough gold.
        tried: in the order of the methods.
    """

    calibration: Calibration | None
    reason: Reason
    chosen: Trial | None = None
    measured_on: GoldAnswers | None = None
    before: ConfidenceFigures | None = None
    tried: tuple[Trial, ...] = ()


def choose_calibration(evidence: Evidence, *, wish: Wish, seed: int) -> CalibrationChoice:
    """Fit on gold what can be fitted, and keep what makes the confidences truer, if anything.

    With enough gold of texts that are trained on, temperature and isotonic are tried, and the
    better one is kept if the log-loss of the confidence falls. Gold that measures the result
    has a part in making it only where one of them is wished for by name. Without, content-free
    answers are used where there are any. A wish that cannot be fulfilled, or that would do
    harm, is refused with its reason: the answers are paid by then and worth having as they
    are.
    """
    for gold in evidence.gold:
        methods = _methods_on(gold, wish)
        if methods:
            return _better(gold, [_cross_fit(method, gold, seed=seed) for method in methods])
    gold_that_measures = next(
        (gold for gold in evidence.gold if gold.answers.known.sum() >= FEWEST_MEASURED), None
    )
    reason = _what_is_missing(evidence, wish)
    if reason is None and evidence.content_free is not None:
        return _try_contextual(contextual(evidence.content_free), gold_that_measures)
    return CalibrationChoice(
        None,
        reason or "too_little_gold",
        measured_on=gold_that_measures,
        before=None if gold_that_measures is None else _measure(gold_that_measures),
    )


def gold_fits(evidence: Evidence, wish: Wish) -> bool:
    """Whether there is gold enough to fit what is wished for."""
    return any(_methods_on(gold, wish) for gold in evidence.gold)


def _methods_on(gold: GoldAnswers, wish: Wish) -> list[FittedMethod]:
    may_fit = gold.role == "trained_on" or wish != "auto"
    return [
        method
        for method in get_args(FittedMethod)
        if may_fit and wish in ("auto", method) and fittable(method, gold.answers)
    ]


def _what_is_missing(evidence: Evidence, wish: Wish) -> Reason | None:
    """Why nothing can be done that takes no gold; None if contextual calibration may be."""
    if wish == "none":
        return "not_wanted"
    if not evidence.known:
        return "no_confidence"
    if wish in ("temperature", "contextual") and not evidence.distributed:
        return "no_probabilities"
    if wish == "contextual" and evidence.content_free is None:
        return "no_content_free_answers"
    if wish in ("temperature", "isotonic") or not evidence.distributed:
        return "too_little_gold"
    return None


def _cross_fit(method: FittedMethod, gold: GoldAnswers, *, seed: int) -> Trial:
    """Change each answer by a calibration that was fitted on the other four fifths."""
    size = len(gold.gold)
    fold: IntArray = np.random.default_rng([seed, 2]).permutation(size) % FOLDS
    folds = tuple(
        fit(method, gold.answers.take(fold != number), gold.gold[fold != number])
        for number in range(FOLDS)
    )
    together = gold.answers
    for number, each in enumerate(folds):
        out = fold == number
        together = together.changed(out, by=each.apply(gold.answers.take(out)))
    figures = confidence_figures(together, gold.gold, fold=fold)
    assert figures is not None, "what was fitted had known confidences"
    return Trial(fit(method, gold.answers, gold.gold), figures, folds, fold)


def _better(gold: GoldAnswers, tried: Sequence[Trial]) -> CalibrationChoice:
    # Every trial divides the gold alike: ranks before are those of the same pairs as after.
    before = confidence_figures(gold.answers, gold.gold, fold=tried[0].fold)
    best = min(tried, key=lambda trial: trial.figures.log_loss)
    gains = before is not None and best.figures.log_loss < before.log_loss
    return CalibrationChoice(
        best.calibration if gains else None,
        "improved" if gains else "no_gain",
        chosen=best if gains else None,
        measured_on=gold,
        before=before,
        tried=tuple(tried),
    )


def _try_contextual(calibration: Calibration, gold: GoldAnswers | None) -> CalibrationChoice:
    """Keep it unless gold is known, and it makes fewer labels right or their confidences less
    true; no gold went into it, so that all of it may measure."""
    before = None if gold is None else _measure(gold)
    after = None if gold is None else confidence_figures(calibration.apply(gold.answers), gold.gold)
    if before is None or after is None:
        return CalibrationChoice(calibration, "unchecked")
    trial = Trial(calibration, after)
    # Labels may have changed: a wrong one with little confidence costs no surprise.
    gains = after.log_loss < before.log_loss and after.accuracy >= before.accuracy
    return CalibrationChoice(
        calibration if gains else None,
        "improved" if gains else "no_gain",
        chosen=trial if gains else None,
        measured_on=gold,
        before=before,
        tried=(trial,),
    )


def _measure(gold: GoldAnswers) -> ConfidenceFigures | None:
    return confidence_figures(gold.answers, gold.gold)
