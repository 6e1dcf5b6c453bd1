"""Files as one tar archive, written while it is sent: equal files give equal bytes."""

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.artifacts import ArtifactDamaged

CHUNK_BYTES = 1024 * 1024
# An archive ends with two empty blocks.
_END = bytes(2 * tarfile.BLOCKSIZE)


@dataclass(frozen=True)
class Member:
    """One file of an archive.

    Attributes:
        name: its path in the archive.
        path: where its content stands, in a file that is named by its own sha256.
        size_bytes: of the content.
    """

    name: str
    path: Path
    size_bytes: int

    def header(self) -> bytes:
        """Without a time, an owner or anything else that would tell two equal files apart."""
        entry = tarfile.TarInfo(self.name)
        entry.size = self.size_bytes
        return entry.tobuf(format=tarfile.PAX_FORMAT, encoding="utf-8", errors="strict")

    def padding(self) -> bytes:
        """What fills up the last block."""
        return bytes(-self.size_bytes % tarfile.BLOCKSIZE)


def archive_size(members: Sequence[Member]) -> int:
    """Bytes that `write_archive` gives."""
    files = sum(
        len(member.header()) + member.size_bytes + len(member.padding()) for member in members
    )
    return files + len(_END)


def write_archive(members: Sequence[Member]) -> Iterator[bytes]:
    """The archive in pieces of a megabyte, each file read once and never held as a whole.

    Raises:
        ArtifactDamaged: a file is not the one its name promises. What was given before lacks
            that file's end, so nobody can take it for the whole archive.
    """
    for member in members:
        yield member.header()
        yield from _content(member)
        yield member.padding()
    yield _END


def _content(member: Member) -> Iterator[bytes]:
    """The file's content, of which the last piece is given only if all of it is sound."""
    digest, kept, size = hashlib.sha256(), b"", 0
    with member.path.open("rb") as opened:
        while piece := opened.read(CHUNK_BYTES):
            yield kept
            digest.update(piece)
            kept, size = piece, size + len(piece)
    if size != member.size_bytes or digest.hexdigest() != member.path.name:
        raise ArtifactDamaged(f"{member.name} is not the file that was stored")
    yield kept
