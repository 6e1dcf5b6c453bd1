"""What the teacher said of texts whose gold label is known, apart by what these are for."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.label_files import Role
from llkd.calibration_choice import GoldAnswers, GoldRole
from llkd.pseudo_labels import PseudoLabels
from llkd.specs import label_key
from llkd.types import IntArray
from worker.job import Job
from worker.pool import gold_of, index_of, pairs_of
from worker.protocol import Json

# Of each kind: more make no calibration better, and a million distributions fill the memory.
MOST_GOLD = 20_000
_GOLD_ROLES: Mapping[Role, GoldRole] = {Role.TRAIN: "trained_on", Role.EVALUATION: "measuring"}


@dataclass(frozen=True)
class GatheredGold:
    """The answers with gold, and how much is known of the others.

    Attributes:
        answers: gold of rows to train on first: it measures nothing else.
        places: by role, [N], the row of each in its file.
        known: rows to train on whose confidence is known.
        distributed: those among them whose labels' probabilities are all known.
    """

    answers: Sequence[GoldAnswers]
    places: Mapping[GoldRole, IntArray]
    known: int
    distributed: int


def gather_gold(job: Job, output: Json, *, by_lot: Collection[int] | None) -> GatheredGold:
    """Read what the label stage left, at most `MOST_GOLD` answers of a kind, by lot.

    Args:
        by_lot: rows to train on that were chosen by lot, where others were not; None: all.
    """
    index = index_of(job)
    drawn = {role: _Drawn(MOST_GOLD, seed=job.spec.training.seed) for role in _GOLD_ROLES}
    known = distributed = 0
    for place, row, entry in _answered(job, output):
        trains = entry["role"] == Role.TRAIN
        known += trains and entry["confidence"] is not None
        distributed += trains and entry["probabilities"] is not None
        gold = gold_of(row, index)
        if gold >= 0 and not (trains and by_lot is not None and place not in by_lot):
            drawn[entry["role"]].offer((place, gold, entry))
    return GatheredGold(
        [_gold_answers(_GOLD_ROLES[role], found.items, index) for role, found in drawn.items()],
        {
            _GOLD_ROLES[role]: np.array([place for place, _, _ in found.items], dtype=np.int64)
            for role, found in drawn.items()
        },
        known=known,
        distributed=distributed,
    )


def pseudo_labels_of(entries: Sequence[Json], index: Mapping[str, int]) -> PseudoLabels:
    """Entries of a label file, all of them with a label, as arrays.

    Args:
        index: the place of each label, by its key.
    """
    unknown = [np.nan] * len(index)
    return PseudoLabels(
        np.array([index[label_key(entry["label"])] for entry in entries], dtype=np.int64),
        np.array([entry["confidence"] for entry in entries], dtype=np.float64),
        np.array(
            [entry["probabilities"] or unknown for entry in entries], dtype=np.float64
        ).reshape(len(entries), len(index)),
    )


def _answered(job: Job, output: Json) -> Iterator[tuple[int, Json, Json]]:
    """Place, row and entry of each text that has a part in the job and got a label."""
    files = [(job.dataset.rows_artifact, output["labels"])]
    if job.evaluation_dataset is not None and output["evaluation_labels"] is not None:
        files.append((job.evaluation_dataset.rows_artifact, output["evaluation_labels"]))
    for rows, labels in files:
        for place, (row, entry) in enumerate(pairs_of(job.artifacts, rows, labels)):
            if entry["role"] in _GOLD_ROLES and entry["label"] is not None:
                yield place, row, entry


def _gold_answers(
    role: GoldRole, items: Sequence[tuple[int, int, Json]], index: Mapping[str, int]
) -> GoldAnswers:
    return GoldAnswers(
        role,
        pseudo_labels_of([entry for _, _, entry in items], index),
        np.array([gold for _, gold, _ in items], dtype=np.int64),
    )


class _Drawn:
    """Of the items that are offered, at most so many, each with the same chance.

    Source: algorithm R in Vitter (1985), doi 10.1145/3147.3165.
    """

    def __init__(self, most: int, *, seed: int) -> None:
        self.items: list[tuple[int, int, Json]] = []
        self._most = most
        self._offered = 0
        self._generator = np.random.default_rng([seed, 3])

    def offer(self, item: tuple[int, int, Json]) -> None:
        self._offered += 1
        if len(self.items) < self._most:
            self.items.append(item)
        elif (place := int(self._generator.integers(self._offered))) < self._most:
            self.items[place] = item
