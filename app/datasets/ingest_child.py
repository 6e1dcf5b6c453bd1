"""The process that reads one uploaded file, so that a hostile one can only kill itself.

`python -m app.datasets.ingest_child` takes a Task as JSON on standard input and answers
on standard output: the statistics, or the refusal. It leaves rows.parquet and
issues.parquet in the task's folder. Its memory, time and file sizes are bounded before
it looks at the file.
"""

import errno
import json
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.datasets.cleaning import Cleaner
from app.datasets.dedupe import NO_LABEL, Deduplicator
from app.datasets.errors import DecompressionLimit, InsufficientStorage, TooManyLabels
from app.datasets.options import MAX_LABELS, ReadOptions
from app.datasets.reading.base import RowReader
from app.datasets.reading.factory import make_reader
from app.datasets.reading.opening import locate_encoding_error
from app.datasets.rows import CleanRow, Issue, RawRow
from app.datasets.spool import IssueFile, Spool, gold_counts, write_rows
from app.datasets.statistics import Tally
from core.errors import ServiceError

ROWS = "rows.parquet"
ISSUES = "issues.parquet"
SPOOL = "kept.arrow"


@dataclass(frozen=True)
class Limits:
    """What the process may use: memory and file size in bytes, time in seconds."""

    memory: int
    cpu: int
    file: int


@dataclass(frozen=True)
class Task:
    """One file to read, and where to leave what was read."""

    source: Path
    folder: Path
    options: ReadOptions
    limits: Limits

    def to_json(self) -> str:
        return json.dumps(
            {
                "source": str(self.source),
                "folder": str(self.folder),
                "options": self.options.to_json(),
                "limits": asdict(self.limits),
            }
        )

    @classmethod
    def from_json(cls, written: str) -> "Task":
        """The inverse of `to_json`."""
        fields = json.loads(written)
        return cls(
            source=Path(fields["source"]),
            folder=Path(fields["folder"]),
            options=ReadOptions.from_json(fields["options"]),
            limits=Limits(**fields["limits"]),
        )


def main() -> None:
    task = Task.from_json(sys.stdin.read())
    confine(task.limits)
    try:
        answer: dict[str, Any] = {"statistics": ingest(task.source, task.folder, task.options)}
    except ServiceError as refusal:
        errors = [asdict(item) for item in refusal.errors]
        answer = {
            "refused": {"code": refusal.code, "detail": refusal.detail, "errors": errors},
        }
    sys.stdout.write(json.dumps(answer))


def confine(limits: Limits) -> None:
    """Bound what this process may use, for good."""
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu),
        (resource.RLIMIT_FSIZE, limits.file),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        allowed = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (allowed, allowed))


def ingest(source: Path, folder: Path, options: ReadOptions) -> dict[str, Any]:
    """Read a file into rows.parquet and issues.parquet; returns what was counted.

    Raises:
        ServiceError: the file cannot be taken; the message says why and where.
    """
    reader = make_reader(source, options)
    tally = Tally()
    with own_limits(), IssueFile(folder / ISSUES) as issues:
        spool = Spool(folder / SPOOL)
        labels = _Labels(options.columns.label)
        distinct = Deduplicator()

        def note(issue: Issue) -> None:
            tally.noted[issue.code] += 1
            issues.add(issue)

        cleaner = Cleaner(options.columns, note=note)
        for raw in located_rows(reader):
            row = raw if isinstance(raw, Issue) else cleaner.clean(raw)
            if isinstance(row, CleanRow):
                tally.keep(len(row.text))
                distinct.add(row.content, gold=labels.code(row.gold))
                spool.add(row)
            else:
                tally.put_aside(row.code)
                issues.add(row)
        spool.finish()
        found = distinct.finish()
        tally.refuse_too_few(found)
        answered = write_rows(folder / ROWS, spool, found, labels=labels.names)
    gold = gold_counts(found, labels=labels.names) if options.columns.label else None
    return {
        **tally.summary(found),
        "gold": gold,
        "teacher_answers": answered,
        "columns": {
            **asdict(options.columns),
            "ignored": [
                name for name in reader.column_names if name not in options.columns.wanted()
            ],
        },
    }


class _Labels:
    """Gold labels and the codes they have while a file is read."""

    def __init__(self, column: str | None) -> None:
        self._column = column
        self._codes: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """The labels in the order of their codes."""
        return list(self._codes)

    def code(self, label: str | None) -> int:
        if label is None:
            return NO_LABEL
        found = self._codes.setdefault(label, len(self._codes))
        if found >= MAX_LABELS:
            raise TooManyLabels(
                f"Column {self._column!r} has more than {MAX_LABELS} different values; "
                "is it the column of labels?"
            )
        return found


def located_rows(reader: RowReader) -> Iterator[RawRow | Issue]:
    """A reader's rows; bytes that are no text are named by their place in the file."""
    try:
        yield from reader.rows()
    except UnicodeDecodeError as error:
        raise locate_encoding_error(reader.path, reader.options) from error


@contextmanager
def own_limits() -> Iterator[None]:
    """Say of this process's own limits, when the file meets them, what they mean."""
    try:
        yield
    except MemoryError as error:
        raise DecompressionLimit("Reading the file takes more memory than is given.") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise InsufficientStorage("The disk is full.") from error
        if error.errno == errno.EFBIG:
            raise DecompressionLimit("The file unpacks to too much.") from error
        raise


if __name__ == "__main__":
    main()
