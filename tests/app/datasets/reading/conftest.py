"""A file on the disk, read by the reader that its options name."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.datasets.options import Format, ReadOptions
from app.datasets.reading.factory import make_reader
from app.datasets.rows import Issue, RawRow

Read = Callable[..., list[RawRow | Issue]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """All rows of these bytes, or the error that reading them raises."""

    def rows_of(content: bytes, format_: Format, **options: Any) -> list[RawRow | Issue]:
        path = tmp_path / "source"
        path.write_bytes(content)
        return list(make_reader(path, ReadOptions(format_, **options)).rows())

    return rows_of
