"""What a file's name says: its format. As a path it is never used."""

from app.datasets.errors import UnsupportedFormat
from app.datasets.options import Format
from core.texts import normalized

EXTENSIONS = {
    ".csv": Format.CSV,
    ".tsv": Format.TSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
    ".txt": Format.TXT,
    ".parquet": Format.PARQUET,
}
PACKED = ".gz"
MAX_LABEL = 200


def read_extension(file_name: str) -> tuple[Format, bool]:
    """The format that the name ends with, and whether it is packed by gzip.

    Raises:
        UnsupportedFormat: none of those that are read.
    """
    name = _last_part(file_name).lower()
    packed = name.endswith(PACKED)
    bare = name.removesuffix(PACKED)
    for extension, format_ in EXTENSIONS.items():
        # Parquet is packed by itself; around it, gzip would hide its end, where it begins.
        if bare.endswith(extension) and not (packed and format_ is Format.PARQUET):
            return format_, packed
    known = ", ".join(EXTENSIONS)
    raise UnsupportedFormat(
        f"The file name ends in none of {known}; all but .parquet may be followed by .gz."
    )


def label_from(file_name: str) -> str:
    """The file's name as something to show: no folders, nothing that does not print."""
    stem = _last_part(file_name)
    for extension in (PACKED, *EXTENSIONS):
        if stem.lower().endswith(extension):
            stem = stem[: -len(extension)]
    shown = "".join(character for character in stem if character.isprintable())
    return normalized(shown[:MAX_LABEL]) or "dataset"


def _last_part(file_name: str) -> str:
    return file_name.replace("\\", "/").rpartition("/")[2].strip()
