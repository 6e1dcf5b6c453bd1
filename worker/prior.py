"""Corrects the pseudo-labels of a teacher that does not know how often each label occurs."""

from collections.abc import Collection, Iterator, Sequence

import numpy as np

from core.label_files import LabelEntry, Role, iter_labels
from llkd.priors import correct, estimate_prior, tell_the_prior
from llkd.specs import FewShotTeacher
from llkd.types import FloatArray
from worker.job import Job
from worker.protocol import Json
from worker.rewriting import rewrite_labels

GIVEN = "given"
ESTIMATED = "estimated"
# Fewer answers say too little about how often a label occurs.
FEWEST = 50
# More do not make the estimate better.
MOST = 50_000


def correct_labels(job: Job, output: Json, *, by_lot: Collection[int] | None) -> Json:
    """The label stage's output with corrected label files, as the job's `prior` asks.

    By default a few-shot teacher is corrected: what its examples say of the labels'
    frequency is known, and seldom true. Rows that measure are corrected alike.

    Args:
        by_lot: rows that were chosen by lot, where others were not; None: all of them.
    """
    wish = job.spec.prior
    told: Json = {"used": GIVEN, "reference": None, "estimated": None, "changed": 0}
    if wish == GIVEN or (wish == "auto" and not isinstance(job.spec.teacher, FewShotTeacher)):
        return output | {"prior": told}
    answers = _answers(job, output["labels"], by_lot)
    if len(answers) < FEWEST or not tell_the_prior(answers):
        return output | {"prior": told}
    reference = _reference(job)
    prior = estimate_prior(answers, reference)
    correction = _Correction(job.spec.label_names, prior=prior, reference=reference)
    corrected = rewrite_labels(job.artifacts, output, correction.of)
    told = {
        "used": ESTIMATED,
        "reference": reference.tolist(),
        "estimated": prior.tolist(),
        "changed": correction.changed,
    }
    return output | corrected | {"prior": told}


def _reference(job: Job) -> FloatArray:
    """How often each label occurred where the teacher learned."""
    if isinstance(job.spec.teacher, FewShotTeacher):
        # A description counts as one more example.
        counts = [1 + len(set(label.examples)) for label in job.spec.labels]
    else:
        counts = [1] * len(job.spec.labels)
    shares: FloatArray = np.array(counts, dtype=np.float64) / sum(counts)
    return shares


def _answers(job: Job, labels: str, by_lot: Collection[int] | None) -> FloatArray:
    """[N, K], probabilities of the rows to train on, as far as they were chosen by lot."""
    found = [
        entry["probabilities"]
        for place, entry in enumerate(_entries(job, labels))
        if entry["role"] == Role.TRAIN
        and entry["probabilities"] is not None
        and (by_lot is None or place in by_lot)
    ]
    if len(found) > MOST:
        chosen = np.random.default_rng(job.spec.training.seed).permutation(len(found))[:MOST]
        found = [found[place] for place in chosen]
    return np.array(found, dtype=np.float64).reshape(len(found), len(job.spec.labels))


def _entries(job: Job, labels: str) -> Iterator[Json]:
    for chunk in iter_labels(job.artifacts.path(labels)):
        yield from chunk


class _Correction:
    """Corrects entries; counts the labels to train on that became others."""

    def __init__(self, names: Sequence[str], *, prior: FloatArray, reference: FloatArray) -> None:
        self.changed = 0
        self._names = names
        self._prior = prior
        self._reference = reference

    def of(self, _: int, entries: Sequence[Json]) -> list[LabelEntry]:
        return [self._corrected(entry) for entry in entries]

    def _corrected(self, entry: Json) -> LabelEntry:
        if entry["probabilities"] is None:
            return LabelEntry(**entry)
        answer = np.array(entry["probabilities"])
        probabilities = correct(answer, prior=self._prior, reference=self._reference)
        place = int(probabilities.argmax())
        self.changed += entry["role"] == Role.TRAIN and self._names[place] != entry["label"]
        return LabelEntry(
            **entry
            | {
                "label": self._names[place],
                "probabilities": probabilities.tolist(),
                "confidence": float(probabilities[place]),
            }
        )
