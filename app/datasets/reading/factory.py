"""Which reader a format has."""

from pathlib import Path
from typing import assert_never

from app.datasets.options import Format, ReadOptions
from app.datasets.reading.base import RowReader
from app.datasets.reading.csv import CsvReader
from app.datasets.reading.jsonl import JsonlReader
from app.datasets.reading.parquet import ParquetReader
from app.datasets.reading.txt import TxtReader


def make_reader(path: Path, options: ReadOptions) -> RowReader:
    match options.format:
        case Format.CSV | Format.TSV:
            return CsvReader(path, options)
        case Format.JSONL:
            return JsonlReader(path, options)
        case Format.TXT:
            return TxtReader(path, options)
        case Format.PARQUET:
            return ParquetReader(path, options)
        case _:
            assert_never(options.format)
