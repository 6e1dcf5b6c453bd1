"""Does an engine answer as the reference does, and which of those that do is the fastest?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from llkd.engine_probe import Probe
from llkd.engines.base import REFERENCE, EngineName
from llkd.types import FloatArray, IntArray

LEAST_AGREEMENT = 0.99
MOST_ACCURACY_LOST = 0.003
# A text's answer may not depend on the texts that happen to stand beside it.
MOST_BATCH_DIFFERENCE = 0.01
# Fewer texts than this say too little of one flip in a hundred.
FEWEST_TEXTS = 100
# What an engine must be faster by than a more exact one: a busy machine's clock is off by less.
MARGIN = 1.1

State = Literal["reference", "passed", "failed", "absent"]


@dataclass(frozen=True)
class EngineFigures:
    """What became of one engine on one machine; figures are None where it is absent.

    Attributes:
        reason: why it failed or is absent; None else.
        agreement: share of the texts with the reference's label.
        max_difference: largest gap to one of the reference's probabilities.
        accuracy: share of the texts with their validation label.
        batch_difference: largest gap of a probability between a text alone and among others.
        batch_flips: texts whose label depends on their neighbours.
        texts_per_cpu_second, texts_per_second, p50_ms: see `Probe`.
    """

    engine: EngineName
    state: State
    reason: str | None = None
    agreement: float | None = None
    max_difference: float | None = None
    accuracy: float | None = None
    batch_difference: float | None = None
    batch_flips: int | None = None
    texts_per_cpu_second: float | None = None
    texts_per_second: float | None = None
    p50_ms: float | None = None


def judge(name: EngineName, found: Probe, reference: Probe, labels: IntArray) -> EngineFigures:
    """Hold an engine's answers against the reference's, and its own against each other.

    Args:
        labels: [N], in 0..K-1, what the student learned or gold says of the same texts.
    """
    alone, mixed, expected = map(np.asarray, (found.alone, found.mixed, reference.alone))
    reason = _why_incomparable(alone, mixed, expected)
    if reason is not None:
        return EngineFigures(name, "failed", reason)
    figures = EngineFigures(
        engine=name,
        state="reference" if name is REFERENCE else "passed",
        agreement=float((alone.argmax(axis=1) == expected.argmax(axis=1)).mean()),
        max_difference=float(np.abs(alone - expected).max()),
        accuracy=float((alone.argmax(axis=1) == labels).mean()),
        batch_difference=float(np.abs(alone - mixed).max()),
        batch_flips=int((alone.argmax(axis=1) != mixed.argmax(axis=1)).sum()),
        texts_per_cpu_second=found.texts_per_cpu_second,
        texts_per_second=found.texts_per_second,
        p50_ms=found.p50_ms,
    )
    lost = float((expected.argmax(axis=1) == labels).mean()) - (figures.accuracy or 0.0)
    reason = _why_refused(figures, accuracy_lost=lost)
    if reason is None or name is REFERENCE:
        return figures
    return EngineFigures(**{**vars(figures), "state": "failed", "reason": reason})


def choose_fastest(found: Sequence[EngineFigures], *, cores: int) -> EngineName:
    """Of those that pass, the fastest by a margin; ties go to the more exact one.

    Args:
        found: the reference and the others, in any order.
        cores: on which the engines of the processor would compute side by side; a GPU has
            one line, whose speed is by the clock.
    """
    order = list(EngineName)
    best, speed = REFERENCE, 0.0
    for each in sorted(found, key=lambda each: order.index(each.engine)):
        if each.state in ("reference", "passed"):
            its = _speed(each, cores=cores)
            if its > speed * (MARGIN if speed else 1.0):
                best, speed = each.engine, its
    return best


def _speed(figures: EngineFigures, *, cores: int) -> float:
    assert figures.texts_per_cpu_second is not None
    assert figures.texts_per_second is not None
    if figures.engine is EngineName.ONNXRUNTIME_CUDA:
        return figures.texts_per_second
    return figures.texts_per_cpu_second * cores


def _why_incomparable(alone: FloatArray, mixed: FloatArray, expected: FloatArray) -> str | None:
    if alone.shape != expected.shape or mixed.shape != expected.shape:
        return f"it answers {alone.shape} where the reference answers {expected.shape}"
    if not (np.isfinite(alone).all() and np.isfinite(mixed).all()):
        return "some of its answers are not finite numbers"
    return None


def _why_refused(figures: EngineFigures, *, accuracy_lost: float) -> str | None:
    assert figures.agreement is not None
    assert figures.batch_difference is not None
    if figures.agreement < LEAST_AGREEMENT:
        return (
            f"it agrees with the reference on {figures.agreement:.2%} of the texts; "
            f"{LEAST_AGREEMENT:.0%} are needed"
        )
    # Rounded: of 1000 texts exactly three may be lost.
    if round(accuracy_lost, 9) > MOST_ACCURACY_LOST:
        return (
            f"it loses {accuracy_lost * 100:.2f} points of accuracy; "
            f"{MOST_ACCURACY_LOST * 100:.1f} may be lost"
        )
    if figures.batch_flips:
        return f"the labels of {figures.batch_flips} texts depend on their neighbours in a batch"
    if figures.batch_difference > MOST_BATCH_DIFFERENCE:
        return (
            f"neighbours in a batch move a probability by {figures.batch_difference:.3f}; "
            f"{MOST_BATCH_DIFFERENCE:g} is accepted"
        )
    return None
