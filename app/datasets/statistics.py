"""What is counted while a file is read."""

from array import array
from collections import Counter
from typing import Any

import numpy as np

from app.datasets.dedupe import Distinct
from app.datasets.errors import EmptyDataset, InsufficientData, TooManyRows
from app.datasets.options import MAX_ROWS, MIN_UNIQUE


class Tally:
    """Rows as they pass; every row is one of kept and set aside."""

    def __init__(self) -> None:
        self.set_aside: Counter[str] = Counter()
        # Values dropped from rows that were kept.
        self.noted: Counter[str] = Counter()
        self.rows = 0
        self._characters = array("i")

    def keep(self, characters: int) -> None:
        self._count()
        self._characters.append(characters)

    def put_aside(self, code: str) -> None:
        self._count()
        self.set_aside[code] += 1

    def refuse_too_few(self, distinct: Distinct) -> None:
        """Raise EmptyDataset or InsufficientData for what nothing can be learned from."""
        unique = int((distinct.copies > 0).sum())
        reasons = ", ".join(f"{count} {code}" for code, count in self.set_aside.most_common())
        aside = f" Set aside: {reasons}." if reasons else ""
        if unique == 0:
            raise EmptyDataset(f"Of {self.rows} rows none holds a usable text.{aside}")
        if unique < MIN_UNIQUE:
            raise InsufficientData(
                f"{self.rows} rows hold {unique} different texts; at least {MIN_UNIQUE} are "
                f"needed.{aside}"
            )

    def summary(self, distinct: Distinct) -> dict[str, Any]:
        """The counts of a finished file; rows = unique + duplicates + set_aside."""
        first = distinct.copies > 0
        unique = int(first.sum())
        return {
            "rows": self.rows,
            "unique": unique,
            "duplicates": len(self._characters) - unique,
            "set_aside": self.set_aside.total(),
            "set_aside_by_code": dict(self.set_aside),
            "values_dropped_by_code": dict(self.noted),
            "characters": _spread(np.array(self._characters, dtype=np.int32)[first]),
            "gold_conflicts": distinct.conflicts,
        }

    def _count(self) -> None:
        self.rows += 1
        if self.rows > MAX_ROWS:
            raise TooManyRows(f"The file has more than {MAX_ROWS} rows.")


def _spread(lengths: "np.ndarray[Any, np.dtype[np.int32]]") -> dict[str, float]:
    """Lengths in characters, over the different texts."""
    return {
        "min": int(lengths.min()),
        "median": float(np.median(lengths)),
        "p95": float(np.percentile(lengths, 95)),
        "max": int(lengths.max()),
        "mean": round(float(lengths.mean()), 2),
    }
