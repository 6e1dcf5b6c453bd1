"""Has a file read by a child process, and turns that one's end into an answer."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Set
from pathlib import Path
from typing import Any

import structlog

from app.datasets.errors import DecompressionLimit, MalformedParquet, rebuild
from app.datasets.ingest_child import Limits, Task
from app.datasets.options import MAX_RATIO, MIB, RATIO_FREE_BYTES, Format, ReadOptions, SourceFile
from core.errors import ErrorItem, Unavailable

log = structlog.get_logger(__name__)

CHILD = (sys.executable, "-m", "app.datasets.ingest_child")
# Python with Arrow reserves 0.3 GiB before it reads; a file of 5 million rows needs 1 GiB.
MEMORY_BYTES = 2048 * MIB
# Five million rows of a word and an answer, which are few bytes, take a hundred.
BASE_CPU_SECONDS = 180
# A tenth of what one core reads, so that only what never ends is stopped.
BYTES_A_CPU_SECOND = 1 * MIB
# The child waits for disks and for other children beside its own work.
WALL_FACTOR = 3
BROKEN_READER = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE})
# Sent by whoever stops the service.
STOPPED = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
# Nothing else of this process's environment is the child's business, least of all its secrets.
INHERITED = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR")
ENVIRONMENT = {
    "LC_ALL": "C.UTF-8",
    # One thread, one arena: others reserve address space that the limit would count.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
}
SHOWN_TRACEBACK = 4000


class IngestFailed(Exception):
    """The child failed for a reason that is ours, not the file's."""


def run_ingest(
    source: Path, folder: Path, options: ReadOptions, answers: SourceFile | None = None
) -> dict[str, Any]:
    """Read `source`, and `answers` to its texts, into rows.parquet and issues.parquet.

    Both are left below `folder`.

    Returns:
        The statistics.

    Raises:
        ServiceError: the file cannot be taken.
        IngestFailed: a bug.
    """
    limits = limits_for(source.stat().st_size, options)
    if answers is not None:
        limits = limits.beside(limits_for(answers.path.stat().st_size, answers.options))
    try:
        ended = subprocess.run(
            CHILD,
            input=Task(source, folder, options, limits, answers).to_json().encode(),
            capture_output=True,
            env=child_environment(),
            timeout=limits.cpu * WALL_FACTOR,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DecompressionLimit(f"Reading the file took more than {error.timeout} s.") from error
    if ended.returncode < 0:
        formats = {options.format} if answers is None else {options.format, answers.options.format}
        raise _killed(signal.Signals(-ended.returncode), formats)
    if ended.returncode > 0:
        raise IngestFailed(ended.stderr.decode(errors="replace")[-SHOWN_TRACEBACK:])
    answer = json.loads(ended.stdout)
    if "refused" in answer:
        told = answer["refused"]
        raise rebuild(told["code"], told["detail"], [ErrorItem(**item) for item in told["errors"]])
    statistics: dict[str, Any] = answer["statistics"]
    return statistics


def limits_for(size_bytes: int, options: ReadOptions) -> Limits:
    """What a child that reads a file of this size may use."""
    unpacked = size_bytes
    if options.packed or options.format is Format.PARQUET:
        unpacked = min(options.max_unpacked_bytes, max(RATIO_FREE_BYTES, size_bytes * MAX_RATIO))
    return Limits(
        memory=MEMORY_BYTES,
        cpu=BASE_CPU_SECONDS + unpacked // BYTES_A_CPU_SECOND,
        # The kept rows carry a few bytes more than their text, which may be one character.
        file=16 * unpacked + RATIO_FREE_BYTES,
    )


def child_environment() -> dict[str, str]:
    """What the child is told of this process: where its code is, and how small to stay."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return inherited | ENVIRONMENT


def _killed(by: signal.Signals, formats: Set[Format]) -> Exception:
    log.warning("ingest_killed", signal=by.name, formats=sorted(formats))
    if by in STOPPED:
        return Unavailable("The service is stopping.")
    if Format.PARQUET in formats and by in BROKEN_READER:
        return MalformedParquet("The file cannot be read: it breaks the reader.")
    return DecompressionLimit(f"Reading the file took more than it is given ({by.name}).")
