"""The process that reads what was uploaded, so that a hostile file can only kill itself.

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
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from app.datasets.cleaning import Cleaner
from app.datasets.dedupe import NO_LABEL, Deduplicator, Distinct
from app.datasets.errors import DecompressionLimit, InsufficientStorage, TooManyLabels
from app.datasets.matching import Answers, another_answer
from app.datasets.options import MAX_LABELS, Columns, Part, ReadOptions, SourceFile
from app.datasets.reading.base import RowReader
from app.datasets.reading.factory import make_reader
from app.datasets.reading.located import located_rows
from app.datasets.rows import NO_ANSWER, CleanRow, Issue
from app.datasets.second_file import SecondFile
from app.datasets.spool import IssueFile, Spool, gold_counts, write_rows
from app.datasets.statistics import Tally
from core.errors import ServiceError

ROWS = "rows.parquet"
ISSUES = "issues.parquet"
SPOOL = "kept.arrow"
SHELF = "answers.marshal"


@dataclass(frozen=True)
class Limits:
    """What the process may use: memory and file size in bytes, time in seconds."""

    memory: int
    cpu: int
    file: int

    def beside(self, other: "Limits") -> "Limits":
        """What a process may use that reads two files, one after the other."""
        return Limits(max(self.memory, other.memory), self.cpu + other.cpu, self.file + other.file)


@dataclass(frozen=True)
class Task:
    """What to read, and where to leave what was read.

    Attributes:
        answers: a second file, with the answers of a teacher to texts of the first.
    """

    source: Path
    folder: Path
    options: ReadOptions
    limits: Limits
    answers: SourceFile | None = None

    def to_json(self) -> str:
        return json.dumps(
            {
                "source": str(self.source),
                "folder": str(self.folder),
                "options": self.options.to_json(),
                "limits": asdict(self.limits),
                "answers": None if self.answers is None else self.answers.to_json(),
            }
        )

    @classmethod
    def from_json(cls, written: str) -> "Task":
        """The inverse of `to_json`."""
        fields = json.loads(written)
        answers = fields["answers"]
        return cls(
            source=Path(fields["source"]),
            folder=Path(fields["folder"]),
            options=ReadOptions.from_json(fields["options"]),
            limits=Limits(**fields["limits"]),
            answers=None if answers is None else SourceFile.from_json(answers),
        )


def main() -> None:
    task = Task.from_json(sys.stdin.read())
    confine(task.limits)
    try:
        counted = ingest(task.source, task.folder, task.options, answers=task.answers)
        answer: dict[str, Any] = {"statistics": counted}
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


def ingest(
    source: Path, folder: Path, options: ReadOptions, *, answers: SourceFile | None = None
) -> dict[str, Any]:
    """Read a file into rows.parquet and issues.parquet; returns what was counted.

    Raises:
        ServiceError: the file cannot be taken; the message says why and where.
    """
    reader = make_reader(source, options)
    labels = _Labels(options.columns.label)
    with (
        own_limits(),
        IssueFile(folder / ISSUES) as issues,
        Answers(folder / SHELF) as shelf,
    ):
        spool = Spool(folder / SPOOL)
        tally, found = _keep_rows(reader, spool, issues, shelf, labels=labels)
        second = None if answers is None else SecondFile(answers, answers=shelf, issues=issues)
        if second is None:
            _note_contradictions(shelf, tally, issues, columns=options.columns)
        else:
            second.read()
        write_rows(folder / ROWS, spool, found, labels=labels.names, answers=shelf.of)
        counted_beside = None if second is None else second.finish()
    gold = gold_counts(found, labels=labels.names) if options.columns.label else None
    return {
        **tally.summary(found),
        "gold": gold,
        "teacher_answers": shelf.matched(),
        "answers": counted_beside,
        "columns": _columns(reader, answers),
    }


def _keep_rows(
    reader: RowReader, spool: Spool, issues: IssueFile, shelf: Answers, *, labels: "_Labels"
) -> tuple[Tally, Distinct]:
    """Put each usable row on the spool and its answer on the shelf, the others among the issues."""
    tally, distinct = Tally(), Deduplicator()
    cleaner = Cleaner(reader.options.columns, note=partial(_note, tally, issues))
    for raw in located_rows(reader):
        row = raw if isinstance(raw, Issue) else cleaner.clean(raw)
        if isinstance(row, CleanRow):
            tally.keep(len(row.text))
            distinct.add(row.content, gold=labels.code(row.gold))
            spool.add(row)
            if row.answer != NO_ANSWER:
                shelf.add(row)
        else:
            tally.put_aside(row.code)
            issues.add(row)
    spool.finish()
    found = distinct.finish()
    tally.refuse_too_few(found)
    return tally, found


def _note_contradictions(
    shelf: Answers, tally: Tally, issues: IssueFile, *, columns: Columns
) -> None:
    """Note the answers of the file itself that contradict one before."""
    for line, first, is_same in shelf.finish():
        if not is_same:
            issue = another_answer(line, first=first, columns=columns, part=Part.FILE)
            _note(tally, issues, issue)


def _note(tally: Tally, issues: IssueFile, issue: Issue) -> None:
    """Tell of a value that was dropped from a row that is kept."""
    tally.noted[issue.code] += 1
    issues.add(issue)


def _columns(reader: RowReader, answers: SourceFile | None) -> dict[str, Any]:
    """Which column played which part, in whichever file, and the first file's other columns."""
    own = reader.options.columns
    named = asdict(own if answers is None else replace(answers.options.columns, label=own.label))
    ignored = [name for name in reader.column_names if name not in own.wanted()]
    return {**named, "ignored": ignored}


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
