"""JSON lines: every line is one object, and its keys are the columns."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.datasets.errors import MalformedRow, TooManyColumns, at_line
from app.datasets.options import MAX_COLUMNS, Columns, OnBadRow, ReadOptions
from app.datasets.reading.base import require_columns
from app.datasets.reading.opening import open_text
from app.datasets.reading.txt import numbered_lines
from app.datasets.rows import Issue, RawRow

KINDS = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
LIST_HINT = "this is one JSON list; JSONL holds one object a line, without brackets or commas"


class _Refused(Exception):
    """A line is JSON in a way that is not taken."""


class JsonlReader:
    """Reads .jsonl and .ndjson; blank lines are passed over, as most writers' last one is."""

    def __init__(self, path: Path, options: ReadOptions) -> None:
        self.path = path
        self.options = options
        self._names: dict[str, None] = {}

    @property
    def column_names(self) -> Sequence[str]:
        return list(self._names)

    def rows(self) -> Iterator[RawRow | Issue]:
        columns = self.options.columns
        parsed = 0
        with open_text(self.path, self.options, newline="\n") as text:
            for number, line in numbered_lines(text):
                if not line.strip():
                    continue
                try:
                    fields = _parse(line, is_first=number == 1)
                    row = _pick(fields, columns, number)
                except _Refused as fault:
                    yield self._bad_row(number, str(fault))
                    continue
                parsed += 1
                self._note_names(fields)
                yield row
        # Only the end of the file knows that no row had a column.
        if parsed:
            require_columns(self.column_names, columns)

    def _note_names(self, fields: dict[str, Any]) -> None:
        if fields.keys() <= self._names.keys():
            return
        self._names.update(dict.fromkeys(fields))
        if len(self._names) > MAX_COLUMNS:
            raise TooManyColumns(f"The rows have more than {MAX_COLUMNS} different keys.")

    def _bad_row(self, number: int, message: str) -> Issue:
        if self.options.on_bad_row is OnBadRow.FAIL:
            raise at_line(MalformedRow, number, message)
        return Issue(number, None, MalformedRow.code, message)


def _parse(line: str, *, is_first: bool) -> dict[str, Any]:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        hint = f"; {LIST_HINT}" if is_first and line.lstrip().startswith("[") else ""
        raise _Refused(f"not JSON: {error.msg} at column {error.colno}{hint}") from error
    except RecursionError as error:
        raise _Refused("nested too deeply") from error
    except ValueError as error:  # an integer of thousands of digits
        raise _Refused("a number has too many digits") from error
    if not isinstance(value, dict):
        hint = f"; {LIST_HINT}" if is_first and isinstance(value, list) else ""
        raise _Refused(f"{KINDS.get(type(value), 'a number')} where an object was expected{hint}")
    return value


def _pick(fields: dict[str, Any], columns: Columns, line: int) -> RawRow:
    text = fields.get(columns.text)
    if text is not None and not isinstance(text, str):
        kind = KINDS.get(type(text), "a number")
        raise _Refused(f"{columns.text!r} is {kind}, not a string")
    return RawRow(
        line,
        text,
        fields.get(columns.label) if columns.label else None,
        fields.get(columns.teacher_label) if columns.teacher_label else None,
        fields.get(columns.teacher_confidence) if columns.teacher_confidence else None,
        fields.get(columns.teacher_probabilities) if columns.teacher_probabilities else None,
        fields.get(columns.teacher_votes) if columns.teacher_votes else None,
    )


def _distinct_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Refused("a key appears twice in one object")
    return found


def _refuse_constant(name: str) -> Any:
    raise _Refused(f"{name} is not a JSON number")


_DECODER = json.JSONDecoder(object_pairs_hook=_distinct_keys, parse_constant=_refuse_constant)
