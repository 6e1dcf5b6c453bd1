"""Which rows of a job's dataset are trained on, which measure the result, which certify it.

With an evaluation dataset, its gold rows measure, and a text that stands in both is not
trained on. Without one, the dataset's own gold rows measure, up to a fifth of it: the
rest is trained on as if it had no gold, so that a fully labelled file still has a pool.
Of the rows that would be trained on, so many as the job asks for certify, but for texts that
the student's parent learned from. Which rows measure and which certify depends on their texts
alone, not on their order.
"""

import hashlib
import heapq
from collections.abc import Iterator, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.dataset_files import ROW_GROUP, count_rows, iter_batches
from core.label_files import Role

MOST_EVALUATION_SHARE = 0.2
COLUMNS = [
    "text",
    "gold",
    "teacher_label",
    "teacher_confidence",
    "teacher_probabilities",
    "teacher_votes",
]
Row = dict[str, Any]


@dataclass(frozen=True)
class Roles:
    """Tells a dataset row's role.

    Attributes:
        excluded: digests of texts that the evaluation dataset holds.
        last_digest: gold rows up to this digest measure; None when none do.
        last_lot: of the others, those whose text drew a lot up to this one certify; None
            when none do.
        learned: digests of texts that the student learned from before: they certify nothing.
    """

    excluded: Set[bytes]
    last_digest: bytes | None
    last_lot: bytes | None = None
    learned: Set[bytes] = frozenset()

    @classmethod
    def beside(cls, evaluation_rows: Path) -> "Roles":
        """Roles of a dataset whose result is measured on another one."""
        texts = (row["text"] for row in rows_of(evaluation_rows) if row["gold"] is not None)
        return cls(frozenset(digest(text) for text in texts), None)

    @classmethod
    def within(cls, rows: Path) -> "Roles":
        """Roles of a dataset that has to measure its own result."""
        most = int(count_rows(rows) * MOST_EVALUATION_SHARE)
        golden = sorted(digest(row["text"]) for row in rows_of(rows) if row["gold"] is not None)
        measuring = golden[:most]
        return cls(frozenset(), measuring[-1] if measuring else None)

    def with_certification(
        self, rows: Path, *, count: int, learned: Set[bytes] = frozenset()
    ) -> "Roles":
        """The same with so many of the rows to train on, drawn by lot, kept for certification.

        Args:
            learned: digests of texts that are not drawn; with few others, fewer are.
        """
        lots = (
            _lot(row["text"])
            for row in rows_of(rows)
            if self.of(row) is Role.TRAIN and digest(row["text"]) not in learned
        )
        drawn = heapq.nsmallest(count, lots)
        return replace(self, last_lot=drawn[-1] if drawn else None, learned=learned)

    def of(self, row: Row) -> Role:
        role = self._by_gold(row)
        if role is Role.TRAIN and self._is_drawn(row["text"]):
            return Role.CERTIFICATION
        return role

    def _is_drawn(self, text: str) -> bool:
        if self.last_lot is None or _lot(text) > self.last_lot:
            return False
        return digest(text) not in self.learned

    def _by_gold(self, row: Row) -> Role:
        if not self.excluded and (self.last_digest is None or row["gold"] is None):
            return Role.TRAIN
        mark = digest(row["text"])
        if mark in self.excluded:
            return Role.EXCLUDED
        measures = self.last_digest is not None and row["gold"] is not None
        return Role.EVALUATION if measures and mark <= (self.last_digest or b"") else Role.TRAIN


def rows_of(path: Path) -> Iterator[Row]:
    """Text and gold label of every row."""
    for batch in iter_batches(path, columns=["text", "gold"], size=ROW_GROUP):
        yield from batch


def digest(text: str) -> bytes:
    """Sixteen bytes of a text's sha256: a million texts fit in memory, none collide."""
    return hashlib.sha256(text.encode()).digest()[:16]


def _lot(text: str) -> bytes:
    """What a text draws; it tells nothing of its digest, which decides whether it measures."""
    return hashlib.sha256(b"certification\0" + text.encode()).digest()[:16]
