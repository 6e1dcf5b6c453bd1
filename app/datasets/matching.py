"""Which teacher's answer belongs to which text, among millions, in little memory.

An answer waits on disk, whichever file it came in; in memory it is a hash of its text, one
of itself, its line and its place on the disk, 40 bytes. Texts are asked for in the order in
which they are written.
"""

import marshal
import os
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
        self._descriptor = self._file.fileno()
        self._hashes = bytearray()
        self._said = array("q")
        self._lines = array("q")
        # Where each begins; after the last one, where it ends.
        self._offsets = array("q", [0])
        # One entry a different text, in the order of its hash; made by `finish`.
        self._keys = np.empty(0, dtype=_KEY)
        self._first = np.empty(0, dtype=np.intp)
        self._is_found = np.empty(0, dtype=np.bool_)

    def add(self, row: CleanRow) -> None:
        answer = tuple(row.answer)
        self._hashes += hash_of(row.content)
        self._said.append(hash(answer))
        self._lines.append(row.line)
        # Not JSON: the process that writes it reads it, in half the time.
        self._offsets.append(self._offsets[-1] + self._file.write(marshal.dumps(answer)))

    def finish(self) -> Iterator[tuple[int, int, bool]]:
        """Group the answers by their texts; nothing can be added after.

        Yields:
            For each answer to a text that had one before, in order: its line, the line of
            the first one, and whether both are the same.
        """
        self._file.flush()
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
        by_place = np.argsort(later)
        later, first = later[by_place], self._first[(np.cumsum(begins) - 1)[~begins]][by_place]
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
            found[hit] = self._answer(int(self._first[places[hit]]))
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

    def _answer(self, place: int) -> Answer:
        begin, end = self._offsets[place : place + 2]
        written = os.pread(self._descriptor, end - begin, begin)
        return Answer(*marshal.loads(written))  # noqa: S302 - this process wrote it


def another_answer(line: int, *, first: int, columns: Columns, part: Part) -> Issue:
    """The issue of a line that answers a text again, and says something else than before."""
    message = f"line {first} has another answer to this text; the first one counts"
    return Issue(line, columns.answers()[0], ANOTHER_ANSWER, message, part)
