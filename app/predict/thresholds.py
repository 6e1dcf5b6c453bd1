"""Below which score an answer counts as unsure: as asked for, or as certified."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from app.predict.errors import NotCertified
from core.errors import ErrorItem, ValidationFailed
from llkd.cascade import Below, walk
from llkd.certification import Halves
from llkd.threshold_path import threshold_path
from llkd.types import FloatArray


class Certifier:
    """Finds a model's thresholds for a target. Safe to call from several threads.

    Args:
        halves: what the engine that serves the model answered to the certification texts.
        class_count: K.
    """

    def __init__(self, halves: Halves, *, class_count: int) -> None:
        self._halves = halves
        # While the model is loaded: with 20,000 texts and hundreds of labels it takes seconds,
        # for which the event loop must not stand still.
        self._path = threshold_path(halves.shaping, class_count=class_count)
        # Clients ask with the same few targets again and again, and each takes milliseconds.
        self.thresholds = lru_cache(maxsize=64)(self._thresholds)

    def _thresholds(self, target: float, delta: float, below: Below) -> FloatArray:
        """[K], inf for labels that are never sure enough."""
        return walk(
            self._path,
            self._halves.shaping,
            self._halves.certifying,
            target=target,
            delta=delta,
            below=below,
        ).thresholds


@dataclass(frozen=True)
class Uncertified:
    """Stands where a model has no certifier.

    Attributes:
        why: a sentence for whoever asks for a target.
    """

    why: str


@dataclass(frozen=True)
class Target:
    """Agreement with the teacher that is to hold, but for a risk of `delta`; both in (0, 1)."""

    agreement: float
    delta: float
    below: Below


# One score for all labels, one for each of some, what a target takes, or none.
Wanted = float | Mapping[str, float] | Target | None


def find_thresholds(
    wanted: Wanted, labels: tuple[str, ...], certifier: Certifier | Uncertified
) -> FloatArray | None:
    """[K], the score that each label's answers must reach; None if none is asked for.

    Args:
        certifier: of the model in the engine that serves it, or why it has none.

    Raises:
        ValidationFailed: a threshold for something that is no label of the model.
        NotCertified: a target for a model that nothing is certified of.
    """
    match wanted:
        case None:
            return None
        case float() | int():
            return np.full(len(labels), float(wanted))
        case Target():
            if isinstance(certifier, Uncertified):
                raise NotCertified(certifier.why)
            return certifier.thresholds(wanted.agreement, wanted.delta, wanted.below)
        case _:
            return _by_label(wanted, labels)


def _by_label(wanted: Mapping[str, float], labels: tuple[str, ...]) -> FloatArray:
    unknown = sorted(set(wanted) - set(labels))
    if unknown:
        message = f"{unknown[0][:80]!r} is no label of the model; it has {', '.join(labels)[:500]}."
        pointer = f"/threshold/{unknown[0][:200].replace('~', '~0').replace('/', '~1')}"
        raise ValidationFailed(message, errors=[ErrorItem(pointer, "unknown-label", message)])
    return np.array([wanted.get(label, 0.0) for label in labels])
