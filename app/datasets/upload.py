"""A body on its way to the disk: counted, hashed, and gone again if it does not all arrive."""

import hashlib
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from anyio import to_thread
from starlette.requests import ClientDisconnect, Request

from app.datasets.errors import InsufficientStorage
from app.strict_json import IncompleteBody
from core.artifacts import ArtifactStore

MIB = 1024 * 1024
GIB = 1024 * MIB
# What an upload may not take: jobs and the database share the disk.
RESERVE_BYTES = 5 * GIB
RESERVE_SHARE = 0.05
BLOCK = 1 * MIB
CHECK_EVERY = 64 * MIB
# An upload writes all the time; a folder that was not touched for so long has lost its
# process.
ABANDONED_SECONDS = 3600
SUFFIX = ".upload"


@dataclass(frozen=True)
class Received:
    """A file that arrived whole."""

    path: Path
    sha256: str
    size_bytes: int


class Receiver:
    """Writes a file in blocks, off the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("xb")
        self._waiting = bytearray()
        self._digest = hashlib.sha256()
        self._size = 0

    async def write(self, piece: bytes) -> None:
        self._waiting += piece
        if len(self._waiting) >= BLOCK:
            await to_thread.run_sync(self._flush)

    async def finish(self) -> Received:
        """Write what is left; nothing can be written after."""
        await to_thread.run_sync(self._flush)
        self._file.close()
        return Received(self._path, self._digest.hexdigest(), self._size)

    def __enter__(self) -> "Receiver":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _flush(self) -> None:
        block, self._waiting = self._waiting, bytearray()
        before = self._size // CHECK_EVERY
        self._size += len(block)
        if self._size // CHECK_EVERY > before:
            refuse_full_disk(self._path.parent, coming=0)
        self._digest.update(block)
        self._file.write(block)


def refuse_full_disk(folder: Path, *, coming: int) -> None:
    """Raise InsufficientStorage if `coming` bytes would use up what is kept free."""
    usage = shutil.disk_usage(folder)
    reserve = min(RESERVE_BYTES, int(usage.total * RESERVE_SHARE))
    if usage.free - coming < reserve:
        raise InsufficientStorage(
            f"{usage.free} bytes are free and {reserve} of them are kept; {coming} would be needed."
        )


@contextmanager
def workplace(artifacts: ArtifactStore) -> Iterator[Path]:
    """A folder for one upload, on the store's disk, removed at the end however it ends."""
    folder = artifacts.scratch_path(SUFFIX)
    sweep(folder.parent)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def sweep(scratch: Path) -> None:
    """Remove what uploads left behind whose process was killed."""
    oldest = time.time() - ABANDONED_SECONDS
    for folder in scratch.glob(f"*{SUFFIX}"):
        touched = [_touched(path) for path in (folder, *folder.glob("*"))]
        if max(touched) < oldest:
            shutil.rmtree(folder, ignore_errors=True)


def _touched(path: Path) -> float:
    """When a path was last written; one that just vanished was just written, by its owner."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return time.time()


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The body as it arrives.

    Raises:
        IncompleteBody: the client went away before its end.
    """
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise IncompleteBody from error
