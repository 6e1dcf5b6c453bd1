"""How an exported model answers its certification texts, and at which temperature."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from llkd.calibration import fit_temperature, softmax
from llkd.calibration_figures import expected_calibration_error, reliability_bins
from llkd.cascade import halve
from llkd.certification import (
    CERTIFICATION,
    Certification,
    CertificationTexts,
    Halves,
    read_certification,
    write_certification,
)
from llkd.engines.base import REFERENCE, EngineName
from llkd.export_parity import answer_afresh
from llkd.predictor import Predictor
from llkd.predictor_manifest import MANIFEST, read_manifest, write_manifest
from llkd.threshold_path import Observed
from llkd.types import FloatArray, IntArray

# As of a classifier whose probabilities are true.
USUAL_TEMPERATURE = 1.0
_TEXTS_AT_ONCE = 256
# Kept with so many decimals, so that all that is written of them says the same.
_TEMPERATURE_DECIMALS = 6
_SCORE_DECIMALS = 8
# The logarithm of a probability that is 0 in float64.
_LEAST = np.finfo(np.float64).tiny


@dataclass(frozen=True)
class Certified:
    """What came of it.

    Attributes:
        certification: as it was written.
        ece_before: expected calibration error of the scores on the certifying half, against
            the teacher's answers, without the temperature; in [0, 1].
        ece_after: with it.
    """

    certification: Certification
    ece_before: float
    ece_after: float


def certify_folder(
    folder: Path, given: CertificationTexts, *, told: Callable[[int], None]
) -> Certified:
    """Have the exported model answer the texts; write its temperature and what it answered.

    One half fits the temperature, so that the other is as fresh as any text to come.

    Args:
        folder: an exported model without a temperature; llkd.json gets one, and
            certification.json is new.
        told: called with the number of texts that are answered, now and then; may raise.
    """
    manifest = read_manifest(folder / MANIFEST)
    assert manifest.temperature is None, "answers are taken before a temperature is set"
    predictor = Predictor.load({path.name: path for path in folder.iterdir()})
    logits = np.log(np.maximum(_answers(predictor, given.texts, told=told), _LEAST))
    shaping, certifying = halve(len(given.texts))
    fitted = fit_temperature(logits[shaping], given.labels[shaping], expected=USUAL_TEMPERATURE)
    temperature = round(fitted, _TEMPERATURE_DECIMALS)
    before = softmax(logits[certifying])
    after = softmax(logits, temperature=temperature)
    halves = _halves(after, given.labels)
    certification = Certification(
        labels=manifest.labels,
        source=given.source,
        temperature=temperature,
        engines={REFERENCE.value: halves},
    )
    write_manifest(replace(manifest, temperature=temperature), folder / MANIFEST)
    write_certification(certification, folder / CERTIFICATION)
    return Certified(
        certification,
        ece_before=_calibration_error(_observed(before, given.labels[certifying])),
        ece_after=_calibration_error(halves.certifying),
    )


def certify_engine(folder: Path, given: CertificationTexts, engine: EngineName) -> None:
    """Add what another engine answers to the same texts, at the temperature that was written.

    Raises:
        ExportMismatch: the engine failed.
    """
    certification = read_certification(folder / CERTIFICATION)
    groups = [
        given.texts[start : start + _TEXTS_AT_ONCE]
        for start in range(0, len(given.texts), _TEXTS_AT_ONCE)
    ]
    # In a process of its own, as it was measured: a library that crashes is not to take the job.
    probabilities = answer_afresh(folder, groups, engine=engine)
    halves = _halves(probabilities, given.labels)
    engines = {**certification.engines, engine.value: halves}
    write_certification(replace(certification, engines=engines), folder / CERTIFICATION)


def _halves(probabilities: FloatArray, labels: IntArray) -> Halves:
    shaping, certifying = halve(len(labels))
    return Halves(
        _observed(probabilities[shaping], labels[shaping]),
        _observed(probabilities[certifying], labels[certifying]),
    )


def _answers(
    predictor: Predictor, texts: Sequence[str], *, told: Callable[[int], None]
) -> FloatArray:
    """[N, K], probabilities."""

    def parts() -> Iterator[FloatArray]:
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            some = texts[start : start + _TEXTS_AT_ONCE]
            yield predictor.classify(some).probabilities
            told(start + len(some))

    return np.concatenate(list(parts()))


def _observed(probabilities: FloatArray, labels: IntArray) -> Observed:
    predicted = probabilities.argmax(axis=1)
    score = np.round(probabilities.max(axis=1), _SCORE_DECIMALS)
    return Observed(predicted, score, predicted == labels)


def _calibration_error(observed: Observed) -> float:
    return expected_calibration_error(reliability_bins(observed.score, observed.agrees))
