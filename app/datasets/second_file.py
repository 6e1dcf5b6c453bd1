"""The second file of an upload: a teacher's answers, joined to the first one's texts.

Every row of it is one of matched, repeated and set aside; those that were set aside are
named among the issues.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.datasets.cleaning import Cleaner
from app.datasets.errors import BadDataset, EmptyDataset, TooManyRows, rebuild
from app.datasets.matching import Answers, another_answer
from app.datasets.options import MAX_ROWS, Part, SourceFile
from app.datasets.reading.factory import make_reader
from app.datasets.reading.located import located_rows
from app.datasets.rows import NO_ANSWER, CleanRow, Issue, RawRow
from app.datasets.spool import IssueFile
from core.errors import ErrorItem

WITHOUT_ANSWER = "no-answer"
TEXT_NOT_THERE = "text-not-there"


class SecondFile:
    """Read once, then finished when each text was asked for.

    Args:
        answers: takes what it holds.
        issues: takes the rows that are set aside.
    """

    def __init__(self, source: SourceFile, *, answers: Answers, issues: IssueFile) -> None:
        self._columns = source.options.columns
        self._issues = issues
        self._answers = answers
        self._rows = self._repeated = 0
        self._set_aside: Counter[str] = Counter()
        self._noted: list[Issue] = []
        self._reader = make_reader(source.path, source.options)

    def read(self) -> None:
        """Read the file to its end.

        Raises:
            BadDataset: it cannot be read; the message says that it was this file.
        """
        with _named_in_refusals():
            self._take_rows()
            if not self._rows:
                raise EmptyDataset("The file has no rows.")
        for line, first, is_same in self._answers.finish():
            if is_same:
                self._repeated += 1
            else:
                self._put_aside(
                    another_answer(line, first=first, columns=self._columns, part=Part.ANSWERS)
                )

    def finish(self) -> dict[str, Any]:
        """Set aside the answers whose texts were not asked for; returns what was counted."""
        for line in self._answers.unmatched():
            message = "no text of the dataset is this one"
            self._put_aside(Issue(line, self._columns.text, TEXT_NOT_THERE, message, Part.ANSWERS))
        return {
            "rows": self._rows,
            "matched": self._answers.matched(),
            "repeated": self._repeated,
            "set_aside": self._set_aside.total(),
            "set_aside_by_code": dict(self._set_aside),
            "ignored": [
                name for name in self._reader.column_names if name not in self._columns.wanted()
            ],
        }

    def _take_rows(self) -> None:
        cleaner = Cleaner(self._columns, note=self._noted.append, part=Part.ANSWERS)
        for raw in located_rows(self._reader):
            self._rows += 1
            if self._rows > MAX_ROWS:
                raise TooManyRows(f"The file has more than {MAX_ROWS} rows.")
            self._take(raw, cleaner)

    def _take(self, raw: RawRow | Issue, cleaner: Cleaner) -> None:
        row = raw._replace(part=Part.ANSWERS) if isinstance(raw, Issue) else cleaner.clean(raw)
        noted, self._noted[:] = self._noted[:], []
        if isinstance(row, CleanRow) and row.answer == NO_ANSWER:
            # A part that makes no sense took the whole answer with it.
            row = noted[0] if noted else self._without_answer(row.line)
        if isinstance(row, Issue):
            self._put_aside(row)
        else:
            self._answers.add(row)

    def _without_answer(self, line: int) -> Issue:
        column = self._columns.answers()[0]
        return Issue(line, column, WITHOUT_ANSWER, "no answer is here", Part.ANSWERS)

    def _put_aside(self, issue: Issue) -> None:
        self._set_aside[issue.code] += 1
        self._issues.add(issue)


@contextmanager
def _named_in_refusals() -> Iterator[None]:
    """Say of a refusal that it is this file's: lines of two files look alike."""
    try:
        yield
    except BadDataset as refusal:
        items = [
            ErrorItem(f"{Part.ANSWERS}:{item.pointer}", item.code, item.message)
            for item in refusal.errors
        ]
        detail = f"In {Part.ANSWERS.value!r}: {refusal.detail}"
        raise rebuild(refusal.code, detail, items) from refusal
