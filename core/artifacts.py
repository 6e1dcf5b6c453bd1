"""Files that never change, named by what is in them.

A file is written beside its place, flushed to the disk and renamed: a reader sees
all of it or nothing, also after a power cut. A tree (a model) is a manifest of
names and digests that is itself such a file.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
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
        if target.exists():
            source.unlink()
            return digest
        with source.open("rb") as written:
            os.fsync(written.fileno())
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        fsync_folder(target.parent)
        return digest

    def put_bytes(self, content: bytes) -> str:
        path = self.scratch_path()
        path.write_bytes(content)
        return self.put(path)

    def put_tree(self, folder: Path) -> str:
        """Store every file of a flat folder; returns the digest of the manifest.

        Equal folders have equal digests, whoever wrote them and when.
        """
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
        manifest: dict[str, str] = {}
        for name in names:
            copy = self.scratch_path()
            shutil.copyfile(folder / name, copy)
            manifest[name] = self.put(copy)
        return self.put_bytes(json.dumps(manifest, sort_keys=True).encode())

    def path(self, digest: str) -> Path:
        """Where a file of this digest stands, or would."""
        return self.root / digest[:2] / digest

    def open(self, digest: str) -> BinaryIO:
        return self.path(digest).open("rb")

    def tree(self, digest: str) -> Mapping[str, Path]:
        """The files of a tree by name, each checked to be there."""
        manifest: dict[str, str] = json.loads(self.path(digest).read_bytes())
        paths = {name: self.path(part) for name, part in manifest.items()}
        for name, path in paths.items():
            if not path.exists():
                raise ArtifactDamaged(f"{name} of tree {digest[:12]} is missing")
        return paths

    def verify(self, digest: str) -> None:
        """Read the file once and compare.

        Raises:
            ArtifactDamaged: the bytes are not what the name promises.
        """
        actual = sha256_of(self.path(digest))
        if actual != digest:
            raise ArtifactDamaged(f"artifact {digest[:12]} has the content of {actual[:12]}")

    def is_writable(self) -> bool:
        return os.access(self._scratch, os.W_OK)


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
