"""How a model answered texts that it had not learned from, as its files tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from app.predict.thresholds import Certifier, Uncertified
from core.ids import ModelId
from llkd.certification import CERTIFICATION, read_certification
from llkd.drift import Reference
from llkd.predictor import Predictor

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Validation:
    """What those answers serve for.

    Attributes:
        certifier: finds thresholds for a target, or says why it cannot.
        reference: what answers are compared with as time goes on; None without a certifier.
    """

    certifier: Certifier | Uncertified
    reference: Reference | None = None


def read_validation(
    files: Mapping[str, Path], predictor: Predictor, *, model_id: ModelId
) -> Validation:
    """What these files' model answered in the engine that it is loaded into.

    Nothing where the model has no certification texts, or was not asked about them in this
    engine: another one answers slightly differently. Nor where the file is not one that this
    version reads, which the log tells: the model answers without it as well as ever.
    """
    if CERTIFICATION not in files:
        return _nothing("This model has no certification texts to find thresholds with.")
    try:
        engines = read_certification(files[CERTIFICATION]).engines
    except ValueError as error:
        log.warning("certification_unreadable", model=model_id, reason=str(error))
        return _nothing(
            "This version of the service cannot read the certification of this model; the log "
            "of the service says why."
        )
    halves = engines.get(predictor.engine)
    if halves is None:
        return _nothing(
            f"This model is certified as {_listed(engines)} answers; here {predictor.engine} "
            "serves it, which answers slightly differently. LLKD_PREDICT_ENGINE of the service "
            "pins an engine."
        )
    class_count = len(predictor.labels)
    both = (halves.shaping, halves.certifying)
    reference = Reference.of(
        np.concatenate([half.score for half in both]),
        np.concatenate([half.predicted for half in both]),
        class_count=class_count,
    )
    return Validation(Certifier(halves, class_count=class_count), reference)


def _nothing(why: str) -> Validation:
    return Validation(Uncertified(why))


def _listed(engines: Mapping[str, object]) -> str:
    return " or ".join(engines) or "no engine"
