"""Files that never change, named by what is in them.

A file is written beside its place, flushed to the disk and renamed: a reader sees
all of it or nothing, also after a power cut. A tree (a model) is a manifest of
names and digests that is itself such a file.
"""

import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4


class ArtifactDamaged(Exception):
    """A stored file is not the one its name promises."""


class ArtifactStore:
    """A content-addressed store below one local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._scratch = root / "incoming"
        self._scratch.mkdir(parents=True, exist_ok=True)

    def scratch_path(self, suffix: str = "") -> Path:
        """A path nobody else uses, on the same disk as the store."""
        return self._scratch / f"{uuid4().hex}{suffix}"

    def put(self, source: Path) -> str:
        """Move a finished file into the store; returns its sha256."""
        digest = sha256_of(source)
        target = self.path(digest)
        with source.open("rb") as written:
            os.fsync(written.fileno())
        if not target.parent.exists():
            target.parent.mkdir(exist_ok=True)
            fsync_folder(self.root)
        # Its age begins anew, also if it was there: `remove` takes only what is old.
        os.utime(source)
        with self._locked(fcntl.LOCK_SH):
            source.replace(target)
        # Also for a file that was there: whoever put it may have died before this line.
        fsync_folder(target.parent)
        return digest

    def put_bytes(self, content: bytes) -> str:
        path = self.scratch_path()
        path.write_bytes(content)
        return self.put(path)

    def put_tree(self, folder: Path) -> str:
        """Store every file of a flat folder; returns the digest of the manifest.

        Equal folders have equal digests, whoever wrote them and when.

        Raises:
            ValueError: the folder has a folder inside.
        """
        manifest: dict[str, str] = {}
        for path in sorted(folder.iterdir()):
            if not path.is_file():
                raise ValueError(f"{path.name} in {folder} is not a file")
            copy = self.scratch_path()
            shutil.copyfile(path, copy)
            manifest[path.name] = self.put(copy)
        return self.put_manifest(manifest)

    def put_manifest(self, members: Mapping[str, str]) -> str:
        """Make a tree of files that are stored already, by name; returns its digest."""
        return self.put_bytes(json.dumps(dict(members), sort_keys=True).encode())

    def path(self, digest: str) -> Path:
        """Where a file of this digest stands, or would."""
        return self.root / digest[:2] / digest

    def open(self, digest: str) -> BinaryIO:
        return self.path(digest).open("rb")

    def tree(self, digest: str) -> Mapping[str, Path]:
        """The files of a tree by name, each checked to be there; `verify` reads one of them.

        Raises:
            ArtifactDamaged: the manifest is missing or changed, or a file is missing.
        """
        paths = {name: self.path(part) for name, part in self.members(digest).items()}
        for name, path in paths.items():
            if not path.exists():
                raise ArtifactDamaged(f"{name} of tree {digest[:12]} is missing")
        return paths

    def verified_tree(self, digest: str) -> Mapping[str, Path]:
        """`tree`, and each of its files read once.

        Raises:
            ArtifactDamaged: the manifest or a file is missing or changed.
        """
        files = self.tree(digest)
        for path in files.values():
            self.verify(path.name)
        return files

    def verify(self, digest: str) -> None:
        """Read the file once and compare.

        Raises:
            ArtifactDamaged: it is missing, or the bytes are not what the name promises.
        """
        if not self.path(digest).exists():
            raise ArtifactDamaged(f"artifact {digest[:12]} is missing")
        actual = sha256_of(self.path(digest))
        if actual != digest:
            raise ArtifactDamaged(f"artifact {digest[:12]} has the content of {actual[:12]}")

    def members(self, tree: str) -> dict[str, str]:
        """The digests of a tree's files by name; whether the files are there is not asked.

        Raises:
            ArtifactDamaged: the manifest is missing or changed.
        """
        self.verify(tree)
        manifest: dict[str, str] = json.loads(self.path(tree).read_bytes())
        return manifest

    def older_than(self, age: timedelta) -> list[str]:
        """Digests of the files that nobody stored, or stored again, for so long."""
        oldest = time.time() - age.total_seconds()
        return [
            path.name
            for path in self.root.glob("??/*")
            if (written := _last_written(path)) is not None and written < oldest
        ]

    def remove(self, digest: str, *, older_than: timedelta) -> bool:
        """Delete a file, unless somebody stored it again meanwhile; says whether it went.

        That no row names it is the caller's to know.
        """
        oldest = time.time() - older_than.total_seconds()
        with self._locked(fcntl.LOCK_EX):
            written = _last_written(self.path(digest))
            if written is None or written >= oldest:
                return False
            self.path(digest).unlink()
            return True

    @contextmanager
    def _locked(self, mode: int) -> Iterator[None]:
        """Keep a file from being removed between being found and being counted on."""
        with (self.root / ".lock").open("a") as lock:
            fcntl.flock(lock, mode)
            yield

    def is_writable(self) -> bool:
        return os.access(self._scratch, os.W_OK)


def _last_written(path: Path) -> float | None:
    """Seconds since the epoch; None if it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return None


def sha256_of(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def fsync_folder(folder: Path) -> None:
    """Make a rename durable: it is atomic without this, but may be forgotten in a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
