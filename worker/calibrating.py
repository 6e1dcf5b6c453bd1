"""Makes the confidences of the pseudo-labels truer, as far as gold or the teacher tells how."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace

from core.label_files import LabelEntry, Role
from llkd.calibration_choice import (
    CalibrationChoice,
    Evidence,
    GoldAnswers,
    choose_calibration,
    gold_fits,
)
from llkd.content_free import wants_content_free
from llkd.pseudo_labels import PseudoLabels
from llkd.teacher_calibration import Calibration
from llkd.types import ConfidenceSource, FloatArray
from worker.gold_answers import GatheredGold, gather_gold, pseudo_labels_of
from worker.job import Job
from worker.pool import index_of
from worker.protocol import Json
from worker.rewriting import rewrite_labels

NONE = "none"


def calibrate_labels(
    job: Job,
    output: Json,
    *,
    by_lot: Collection[int] | None,
    ask_content_free: Callable[[], FloatArray | None],
) -> Json:
    """The label stage's output with calibrated label files, as the job's `calibration` asks.

    Rows that measure are calibrated alike; those whose own gold fitted the calibration by one
    that was fitted without it, so that what is measured on them later is fair.

    Args:
        by_lot: rows that were chosen by lot, where others were not; None: all of them. Gold
            of rows that were chosen because they are hard says too little of the others.
        ask_content_free: returns the teacher's probabilities, [M, K], of texts that say nothing;
            called where nothing else tells how it is calibrated.
    """
    gathered = gather_gold(job, output, by_lot=by_lot)
    evidence = Evidence(gathered.answers, known=gathered.known, distributed=gathered.distributed)
    if _should_ask(job, output, evidence):
        evidence = replace(evidence, content_free=ask_content_free())
    choice = choose_calibration(evidence, wish=job.spec.calibration, seed=job.spec.training.seed)
    if choice.calibration is None:
        return output | {"calibration": _told(job, choice, changed=0)}
    rewriting = _Rewriting(job, choice.calibration, out_of_fold=_out_of_fold(choice, gathered))
    files = rewrite_labels(job.artifacts, output, rewriting.of)
    return output | files | {"calibration": _told(job, choice, changed=rewriting.changed)}


def _should_ask(job: Job, output: Json, evidence: Evidence) -> bool:
    fits = gold_fits(evidence, job.spec.calibration)
    return (
        wants_content_free(job.spec, gold_fits=fits)
        and evidence.distributed > 0
        # Shares of a few votes are too coarse to divide by.
        and output["confidence_source"] != ConfidenceSource.VOTES
    )


def _out_of_fold(choice: CalibrationChoice, gathered: GatheredGold) -> Mapping[int, Calibration]:
    """By its place, for each row whose gold both fits and measures: the calibration fitted
    without it."""
    trial = choice.chosen
    if trial is None or trial.fold is None or not _measures(choice):
        return {}
    places = gathered.places["measuring"].tolist()
    return {
        place: trial.folds[fold] for place, fold in zip(places, trial.fold.tolist(), strict=True)
    }


def _measures(choice: CalibrationChoice) -> bool:
    """Whether the gold that was used also measures the result."""
    return choice.measured_on is not None and choice.measured_on.role == "measuring"


class _Rewriting:
    """Calibrates entries; counts the labels to train on that became others."""

    def __init__(
        self, job: Job, calibration: Calibration, *, out_of_fold: Mapping[int, Calibration]
    ) -> None:
        self.changed = 0
        self._names = job.spec.label_names
        self._index = index_of(job)
        self._calibration = calibration
        self._out_of_fold = out_of_fold

    def of(self, first: int, entries: Sequence[Json]) -> list[LabelEntry]:
        by_calibration: dict[Calibration, list[int]] = defaultdict(list)
        for place, entry in enumerate(entries):
            if entry["label"] is not None:
                by_calibration[self._calibration_of(first + place, entry)].append(place)
        written = [LabelEntry(**entry) for entry in entries]
        for calibration, places in by_calibration.items():
            answers = pseudo_labels_of([entries[place] for place in places], self._index)
            covered, changed = calibration.covers(answers), calibration.apply(answers)
            for number, place in enumerate(places):
                if covered[number]:
                    written[place] = self._entry(entries[place], changed, number, calibration.id)
        return written

    def _calibration_of(self, place: int, entry: Json) -> Calibration:
        if entry["role"] != Role.EVALUATION:
            return self._calibration
        return self._out_of_fold.get(place, self._calibration)

    def _entry(self, entry: Json, changed: PseudoLabels, number: int, name: str) -> LabelEntry:
        label = self._names[changed.labels[number]]
        self.changed += entry["role"] == Role.TRAIN and label != entry["label"]
        told = entry["probabilities"] is not None
        return LabelEntry(
            **entry
            | {
                "label": label,
                "probabilities": changed.probabilities[number].tolist() if told else None,
                "confidence": float(changed.confidence[number]),
                "calibration_id": name,
            }
        )


def _told(job: Job, choice: CalibrationChoice, *, changed: int) -> Json:
    """What the report says of it."""
    calibration, trial = choice.calibration, choice.chosen
    measured_on = _gold_told(choice.measured_on)
    takes_gold = trial is not None and trial.fold is not None
    return {
        "asked": job.spec.calibration,
        "method": NONE if calibration is None else calibration.method,
        "id": None if calibration is None else calibration.id,
        "parameters": {} if calibration is None else calibration.parameters,
        "reason": choice.reason,
        "fitted_on": measured_on if takes_gold else None,
        "measured_on": measured_on,
        "folds": [each.id for each in trial.folds] if trial and _measures(choice) else [],
        "before": None if choice.before is None else asdict(choice.before),
        "after": None if trial is None else asdict(trial.figures),
        "tried": [
            {
                "method": each.calibration.method,
                "log_loss": each.figures.log_loss,
                "ece": each.figures.ece,
                "accuracy": each.figures.accuracy,
            }
            for each in choice.tried
        ],
        "changed": changed,
    }


def _gold_told(gold: GoldAnswers | None) -> Json | None:
    return None if gold is None else {"rows": len(gold.gold), "which": gold.role}
