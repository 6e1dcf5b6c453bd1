"""How a file is to be read: what the client asked for, and what the service allows.

These travel to the child process as JSON, and decide together with the bytes whether
two uploads are the same request.
"""

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path

MIB = 1024 * 1024

MAX_FIELD_CHARACTERS = MIB
MAX_LINE_CHARACTERS = MIB
MAX_COLUMNS = 100
MAX_ROWS = 5_000_000
MAX_LABELS = 1000
MAX_LABEL_CHARACTERS = 100
# Of one text; whoever asks a model this often has something else in mind.
MAX_VOTES = 100_000
MIN_UNIQUE = 32

# Text beyond this share of its packed size was packed to be a bomb.
MAX_RATIO = 200
# Small files may have any ratio: a thousand equal lines pack very well.
RATIO_FREE_BYTES = 64 * MIB


class Part(StrEnum):
    """The parts of a form that carry a file."""

    FILE = "file"
    ANSWERS = "answers"


class Format(StrEnum):
    CSV = "csv"
    TSV = "tsv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    TXT = "txt"


class OnBadRow(StrEnum):
    """What becomes of a row that cannot be read: the file is refused, or the row set aside."""

    FAIL = "fail"
    SKIP = "skip"


class Encoding(StrEnum):
    """The encodings that a file may be read with; never guessed."""

    UTF_8 = "utf-8"
    UTF_16 = "utf-16"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"
    LATIN_1 = "latin-1"
    ISO_8859_2 = "iso-8859-2"
    ISO_8859_15 = "iso-8859-15"
    CP1250 = "cp1250"
    CP1251 = "cp1251"
    CP1252 = "cp1252"
    CP1253 = "cp1253"
    CP1254 = "cp1254"
    CP1255 = "cp1255"
    CP1256 = "cp1256"
    KOI8_R = "koi8-r"
    SHIFT_JIS = "shift_jis"
    CP932 = "cp932"
    EUC_JP = "euc_jp"
    EUC_KR = "euc_kr"
    GB18030 = "gb18030"
    BIG5 = "big5"


@dataclass(frozen=True)
class Columns:
    """Which column plays which part; None where the file has none for it."""

    text: str = "text"
    label: str | None = None
    teacher_label: str | None = None
    teacher_confidence: str | None = None
    teacher_probabilities: str | None = None
    teacher_votes: str | None = None

    def wanted(self) -> list[str]:
        """The columns that were named, in the order of the parts."""
        return [name for name in asdict(self).values() if name is not None]

    def answers(self) -> list[str]:
        """The columns that were named and can each hold a teacher's answer by itself."""
        parts = (self.teacher_label, self.teacher_probabilities, self.teacher_votes)
        return [name for name in parts if name is not None]

    def texts_alone(self) -> "Columns":
        """What is read of a file whose teacher's answers stand in another one."""
        return Columns(text=self.text, label=self.label)

    def answers_alone(self) -> "Columns":
        """What is read of a file that holds a teacher's answers."""
        return replace(self, label=None)


@dataclass(frozen=True)
class ReadOptions:
    """What decides how the bytes of a file become rows.

    Attributes:
        packed: the file is gzip around `format`.
        delimiter: one character, or None for the format's own.
        max_unpacked_bytes: how much a packed file may unpack to.
    """

    format: Format
    columns: Columns = Columns()
    packed: bool = False
    encoding: Encoding = Encoding.UTF_8
    delimiter: str | None = None
    on_bad_row: OnBadRow = OnBadRow.FAIL
    max_unpacked_bytes: int = 2048 * MIB

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, written: str) -> "ReadOptions":
        """The inverse of `to_json`."""
        fields = json.loads(written)
        return cls(
            format=Format(fields["format"]),
            columns=Columns(**fields["columns"]),
            packed=fields["packed"],
            encoding=Encoding(fields["encoding"]),
            delimiter=fields["delimiter"],
            on_bad_row=OnBadRow(fields["on_bad_row"]),
            max_unpacked_bytes=fields["max_unpacked_bytes"],
        )


@dataclass(frozen=True)
class SourceFile:
    """A file that came, and how it is to be read."""

    path: Path
    options: ReadOptions

    def to_json(self) -> str:
        return json.dumps([str(self.path), self.options.to_json()])

    @classmethod
    def from_json(cls, written: str) -> "SourceFile":
        """The inverse of `to_json`."""
        path, options = json.loads(written)
        return cls(Path(path), ReadOptions.from_json(options))
