"""How a model answered texts that it had not learned from, as its files tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.predict.thresholds import Certifier
from llkd.certification import CERTIFICATION, read_certification
from llkd.drift import Reference
from llkd.predictor import Predictor


@dataclass(frozen=True)
class Validation:
    """What those answers serve for.

    Attributes:
        certifier: finds thresholds for a target.
        reference: what answers are compared with as time goes on.
    """

    certifier: Certifier
    reference: Reference


def read_validation(files: Mapping[str, Path], predictor: Predictor) -> Validation | None:
    """What these files' model answered in the engine that it is loaded into.

    None where the model has no certification texts, or was not asked about them in this engine:
    another one answers slightly differently.

    Raises:
        ValueError: the file is not one that this version reads.
    """
    if CERTIFICATION not in files:
        return None
    halves = read_certification(files[CERTIFICATION]).engines.get(predictor.engine)
    if halves is None:
        return None
    class_count = len(predictor.labels)
    both = (halves.shaping, halves.certifying)
    reference = Reference.of(
        np.concatenate([half.score for half in both]),
        np.concatenate([half.predicted for half in both]),
        class_count=class_count,
    )
    return Validation(Certifier(halves, class_count=class_count), reference)
