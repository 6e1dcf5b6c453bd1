"""The process that reads a file: what it counts, and what it may use."""

import errno
import json
import random
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.datasets import ingest as parent
from app.datasets.errors import (
    DecompressionLimit,
    InsufficientStorage,
    MalformedParquet,
    TooManyRows,
)
from app.datasets.ingest import IngestFailed, limits_for, run_ingest
from app.datasets.ingest_child import ROWS, Limits, Task, ingest, own_limits
from app.datasets.options import MIB, Columns, Format, ReadOptions
from core.dataset_files import read_page
from core.errors import Unavailable
from tests.app.datasets.files import TEXTS, csv_file

GENEROUS = Limits(memory=2048 * MIB, cpu=300, file=1024 * MIB)
TEXT = st.sampled_from(["a", "b", " a", "e\u0301", "\u00e9", "", " ", "a\0", "\ud800", None])
LABEL = st.sampled_from([None, "", "x", "y"])


def write_source(folder: Path, content: bytes) -> Path:
    path = folder / "source"
    path.write_bytes(content)
    return path


def run_watched(task: Task) -> tuple[dict[str, Any], int]:
    """What the child counted, and the most memory it held, in kilobytes.

    Not by getrusage: that begins with the memory of the process which forked the child.
    """
    with tempfile.TemporaryFile() as answer:
        child = subprocess.Popen(
            parent.CHILD,
            stdin=subprocess.PIPE,
            stdout=answer,
            env=parent.child_environment(),
        )
        assert child.stdin is not None
        with child.stdin:
            child.stdin.write(task.to_json().encode())
        peak = 0
        while child.poll() is None:
            status = Path(f"/proc/{child.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            peak = max(peak, int(found.group(1)) if found else 0)
            time.sleep(0.02)
        answer.seek(0)
        return json.loads(answer.read())["statistics"], peak


class TestIngest:
    @settings(max_examples=60)
    @given(rows=st.lists(st.tuples(TEXT, LABEL), max_size=30))
    def test_every_row_is_counted_exactly_once(self, rows: list[tuple[Any, Any]]) -> None:
        everything = [*rows, *((text, "x") for text in TEXTS)]
        lines = [json.dumps({"text": text, "label": label}) for text, label in everything]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            source = write_source(folder, "\n".join(lines).encode())
            options = ReadOptions(Format.JSONL, columns=Columns("text", "label"))
            counted = ingest(source, folder, options)
            kept = read_page(folder / ROWS, offset=0, limit=100)
        assert counted["rows"] == len(everything)
        assert counted["rows"] == (counted["unique"] + counted["duplicates"] + counted["set_aside"])
        usable = Counter(
            {"a": "a", " a": "a", "b": "b", "e\u0301": "\u00e9", "\u00e9": "\u00e9"}.get(text, text)
            for text, _ in everything
            if text not in ("", " ", "a\0", "\ud800", None)
        )
        assert [(row["text"], row["copies"]) for row in kept] == list(usable.items())
        assert sum(counted["set_aside_by_code"].values()) == counted["set_aside"]
        assert sum(counted["gold"].values()) == sum(row["gold"] is not None for row in kept)

    def test_one_row_too_many_is_413(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("app.datasets.statistics.MAX_ROWS", len(TEXTS))
        source = write_source(tmp_path, csv_file())
        assert ingest(source, tmp_path, ReadOptions(Format.CSV))["rows"] == len(TEXTS)
        source = write_source(tmp_path, csv_file([*TEXTS, ""]) + b'""\n')
        with pytest.raises(TooManyRows) as raised:
            ingest(source, tmp_path, ReadOptions(Format.CSV))
        assert raised.value.status == 413


class TestRunIngest:
    def test_memory_does_not_grow_with_the_file(self, tmp_path: Path) -> None:
        words = [str(n) * 3 for n in range(1000)]
        dice = random.Random(1)
        with (tmp_path / "source").open("w") as file:
            file.write("text\n")
            for _ in range(300_000):
                file.write(" ".join(dice.choices(words, k=20)) + "\n")
        task = Task(tmp_path / "source", tmp_path, ReadOptions(Format.CSV), GENEROUS)
        assert task.source.stat().st_size > 50 * MIB
        counted, peak_kb = run_watched(task)
        assert counted["unique"] == 300_000
        # Python with Arrow takes 80 MB before it reads; 300,000 rows may add 20 MB.
        assert 50 * 1024 < peak_kb < 130 * 1024

    @pytest.mark.parametrize(
        "limits",
        [
            Limits(memory=128 * MIB, cpu=300, file=1024 * MIB),
            Limits(memory=2048 * MIB, cpu=1, file=1024 * MIB),
            Limits(memory=2048 * MIB, cpu=300, file=MIB),
        ],
        ids=["memory", "cpu", "file"],
    )
    def test_a_file_that_takes_too_much_kills_its_reader_alone(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limits: Limits
    ) -> None:
        monkeypatch.setattr(parent, "limits_for", lambda *_: limits)
        # Seconds of work, megabytes to write; and the memory is less than Python begins with.
        source = write_source(tmp_path, b"\n".join([b"row %d" % n for n in range(800_000)]))
        with pytest.raises(DecompressionLimit) as raised:
            run_ingest(source, tmp_path, ReadOptions(Format.TXT))
        assert raised.value.status == 422

    def test_a_reader_that_never_ends_is_ended(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(parent, "WALL_FACTOR", 0.0001)
        with pytest.raises(DecompressionLimit, match="more than"):
            run_ingest(write_source(tmp_path, csv_file()), tmp_path, ReadOptions(Format.CSV))

    @pytest.mark.parametrize(
        ("how", "format_", "told"),
        [
            ("SIGABRT", Format.PARQUET, MalformedParquet),
            ("SIGSEGV", Format.PARQUET, MalformedParquet),
            ("SIGKILL", Format.PARQUET, DecompressionLimit),
            ("SIGKILL", Format.CSV, DecompressionLimit),
            ("SIGTERM", Format.CSV, Unavailable),
        ],
    )
    def test_how_a_reader_died_says_why(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        how: str,
        format_: Format,
        told: type[Exception],
    ) -> None:
        dying = f"import os, signal; os.kill(os.getpid(), signal.{how})"
        monkeypatch.setattr(parent, "CHILD", (sys.executable, "-c", dying))
        with pytest.raises(told):
            run_ingest(write_source(tmp_path, b"x"), tmp_path, ReadOptions(format_))

    def test_a_fault_of_ours_is_not_told_as_the_file_s(self, tmp_path: Path) -> None:
        source = write_source(tmp_path, csv_file())
        with pytest.raises(IngestFailed, match="FileNotFoundError"):
            run_ingest(source, tmp_path / "nowhere", ReadOptions(Format.CSV))

    def test_the_child_is_told_no_secrets(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("LLKD_API_KEYS", "tenant:a-key-that-nobody-may-see")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
        told = " ".join(parent.child_environment())
        assert "LLKD" not in told
        assert "AWS" not in told

    def test_a_larger_file_may_take_longer(self) -> None:
        options = ReadOptions(Format.CSV)
        small, large = limits_for(1, options), limits_for(1024 * MIB, options)
        assert small.cpu < large.cpu
        assert small.file < large.file
        assert small.memory == large.memory


class TestOwnLimits:
    def test_a_full_disk_is_not_the_file_s_fault(self) -> None:
        with pytest.raises(InsufficientStorage), own_limits():
            raise OSError(errno.ENOSPC, "No space left on device")

    def test_other_trouble_with_files_stays_what_it_is(self) -> None:
        with pytest.raises(PermissionError), own_limits():
            raise PermissionError(errno.EACCES, "Permission denied")
