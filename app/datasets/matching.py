"""Which teacher's answer belongs to which text, among millions, in little memory.

An answer waits on disk, whichever file it came in; in memory it is a hash of its text, one
of itself, its line and its place on the disk, 40 bytes. Texts are asked for in the order in
which they are written.
"""

import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np

from app.datasets.dedupe import HASH_BYTES, hash_of
from app.datasets.options import Columns, Part
from app.datasets.rows import NO_ANSWER, Answer, CleanRow, Issue

ANOTHER_ANSWER = "another-answer"
# Compared byte by byte, as one value: hashes have no other order.
_KEY = f"S{HASH_BYTES}"


class Answers:
    """The answers of one file, found by their text; of several to one text, the first.

    Args:
        path: a file to make, where they wait.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b")
        self._hashes = bytearray()
        self._said = array("q")
        self._lines = array("q")
        self._offsets = array("q")
        self._end = 0
        # One entry a different text, in the order of its hash; made by `finish`.
        self._keys = np.empty(0, dtype=_KEY)
        self._first = np.empty(0, dtype=np.intp)
        self._is_found = np.empty(0, dtype=np.bool_)

    def add(self, row: CleanRow) -> None:
        written = json.dumps(row.answer).encode() + b"\n"
        self._hashes += hash_of(row.content)
        self._said.append(hash(written))
        self._lines.append(row.line)
        self._offsets.append(self._end)
        self._end += self._file.write(written)

    def finish(self) -> Iterator[tuple[int, int, bool]]:
        """Group the answers by their texts; nothing can be added after.

        Yields:
            For each answer to a text that had one before: its line, the line of the first
            one, and whether both are the same.
        """
        keys = np.frombuffer(bytes(self._hashes), dtype=_KEY)
        self._hashes.clear()
        # Stable: of answers to one text, the first comes first.
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        begins = np.ones(len(order), dtype=np.bool_)
        begins[1:] = ordered[1:] != ordered[:-1]
        self._keys, self._first = ordered[begins], order[begins]
        self._is_found = np.zeros(len(self._first), dtype=np.bool_)
        later = order[~begins]
        first = self._first[(np.cumsum(begins) - 1)[~begins]]
        said = np.array(self._said, dtype=np.int64)
        for place, before in zip(later.tolist(), first.tolist(), strict=True):
            yield self._lines[place], self._lines[before], bool(said[place] == said[before])

    def of(self, texts: Sequence[str]) -> list[Answer]:
        """Each text's answer, in order; an empty one where there is none."""
        found = [NO_ANSWER] * len(texts)
        if not len(self._keys):
            return found
        asked = np.frombuffer(b"".join(hash_of(text.encode()) for text in texts), dtype=_KEY)
        places = np.searchsorted(self._keys, asked)
        places[places == len(self._keys)] = 0
        hits = np.flatnonzero(self._keys[places] == asked)
        self._is_found[places[hits]] = True
        for hit in hits:
            found[hit] = Answer(*json.loads(self._written(int(self._first[places[hit]]))))
        return found

    def unmatched(self) -> list[int]:
        """Lines, ascending, of those first answers whose text was not asked for by `of`."""
        return sorted(self._lines[place] for place in self._first[~self._is_found])

    def matched(self) -> int:
        """How many answers found their text."""
        return int(self._is_found.sum())

    def __enter__(self) -> "Answers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _written(self, place: int) -> bytes:
        self._file.seek(self._offsets[place])
        return self._file.readline()


def another_answer(line: int, *, first: int, columns: Columns, part: Part) -> Issue:
    """The issue of a line that answers a text again, and says something else than before."""
    message = f"line {first} has another answer to this text; the first one counts"
    return Issue(line, columns.answers()[0], ANOTHER_ANSWER, message, part)
