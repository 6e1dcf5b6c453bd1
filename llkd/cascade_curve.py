"""What would a cascade answer at several targets? The curve of coverage and agreement."""

import numpy as np

from llkd.cascade import Below, Cascade, walk
from llkd.certification import Halves
from llkd.threshold_path import threshold_path
from llkd.types import Json

CURVE_TARGETS = (0.80, 0.85, 0.90, 0.95, 0.975, 0.99)
# The risk that the promise does not hold, for each point by itself.
CURVE_DELTA = 0.05


def cascade_curve(halves: Halves, labels: tuple[str, ...]) -> list[Json]:
    """One point for each target of `CURVE_TARGETS` and each meaning of agreement."""
    path = threshold_path(halves.shaping, class_count=len(labels))
    return [
        {"below": below.value, "target": target, "delta": CURVE_DELTA}
        | tell_cascade(
            walk(
                path,
                halves.shaping,
                halves.certifying,
                target=target,
                delta=CURVE_DELTA,
                below=below,
            ),
            labels,
        )
        for below in Below
        for target in CURVE_TARGETS
    ]


def tell_cascade(cascade: Cascade, labels: tuple[str, ...]) -> Json:
    """As JSON; a label that the student never answers has no threshold, which is null."""
    return {
        "certified": cascade.is_certified,
        "coverage": cascade.coverage,
        "agreement": cascade.agreement,
        "bound": cascade.bound,
        "thresholds": {
            label: float(threshold) if np.isfinite(threshold) else None
            for label, threshold in zip(labels, cascade.thresholds, strict=True)
        },
    }
