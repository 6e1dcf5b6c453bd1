"""How a training is put on the disk so that a power cut leaves all of it or nothing."""

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from llkd.dynamics import Dynamics
from llkd.errors import CheckpointDamaged
from llkd.model_folder import sha256_of
from llkd.students.base import Student
from llkd.training_state import TrainingState
from llkd.types import Json

MANIFEST = "MANIFEST.json"
STATE = "state.json"
DYNAMICS = "dynamics.npz"


@dataclass(frozen=True)
class CheckpointPointer:
    """The only way to find a checkpoint; folders are never listed for one.

    Attributes:
        uri: the checkpoint's folder.
        sha256: of its manifest, which has the digests of all its other files.
        step: the optimizer step it was taken at.
    """

    uri: str
    sha256: str
    step: int

    def to_json(self) -> Json:
        return {"uri": self.uri, "sha256": self.sha256, "step": self.step}

    @classmethod
    def from_json(cls, content: Json) -> Self:
        return cls(uri=content["uri"], sha256=content["sha256"], step=content["step"])


def write_checkpoint(
    parent: Path, *, attempt: int, student: Student, state: TrainingState
) -> CheckpointPointer:
    """Write a checkpoint below `parent` and return the pointer to publish.

    Files first, their manifest last, each flushed to the disk; then one rename, itself
    flushed. Until the pointer is published, nobody reads the folder.

    Args:
        parent: a folder of this training's own; made if missing.
        attempt: who writes. Two writers of one step never share a folder.
        student: its weights, optimizer and random state.
        state: the loop's.
    """
    step = state.counters.steps
    scratch = parent / f"step-{step}.tmp-{attempt}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    student.save_training(scratch)
    (scratch / STATE).write_text(json.dumps(state.to_json()), encoding="utf-8")
    state.dynamics.save(scratch / DYNAMICS)
    manifest = json.dumps(_manifest(scratch), sort_keys=True).encode()
    for path in scratch.iterdir():
        _fsync(path)
    (scratch / MANIFEST).write_bytes(manifest)
    _fsync(scratch / MANIFEST)
    _fsync(scratch)
    # A name never used before: nothing that a published pointer names is ever replaced,
    # also when one step is saved twice or a ghost of an earlier attempt still writes.
    final = parent / f"step-{step}-{attempt}-{uuid4().hex[:12]}"
    scratch.rename(final)
    _fsync(parent)
    return CheckpointPointer(str(final), hashlib.sha256(manifest).hexdigest(), step)


def read_checkpoint(pointer: CheckpointPointer, *, student: Student) -> TrainingState:
    """Restore the student and return the loop's state, after checking every byte.

    Raises:
        CheckpointDamaged: a file is missing, has another size or another digest, or the
            manifest is not the published one. The student is left as it was.
    """
    _check(pointer)
    folder = Path(pointer.uri)
    student.restore_training(folder)
    content = json.loads((folder / STATE).read_bytes())
    return TrainingState.from_json(content, Dynamics.load(folder / DYNAMICS))


def remove_checkpoint(pointer: CheckpointPointer) -> None:
    """Delete a checkpoint that a newer published pointer has replaced; none is fine too."""
    shutil.rmtree(pointer.uri, ignore_errors=True)


def _check(pointer: CheckpointPointer) -> None:
    folder = Path(pointer.uri)
    manifest = _checked(folder / MANIFEST, sha256=pointer.sha256)
    for name, entry in json.loads(manifest).items():
        path = folder / name
        if not path.is_file() or path.stat().st_size != entry["size"]:
            raise CheckpointDamaged(f"{name} of {folder.name} is missing or cut short")
        if sha256_of(path) != entry["sha256"]:
            raise CheckpointDamaged(f"{name} of {folder.name} has other content than was written")


def _manifest(folder: Path) -> Json:
    return {
        path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(folder.iterdir())
    }


def _checked(path: Path, *, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointDamaged(f"{path.parent.name} has no readable {path.name}") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise CheckpointDamaged(f"{path.name} of {path.parent.name} is not the published one")
    return content


def _fsync(path: Path) -> None:
    """Flush a file, or the names in a folder, to the disk: a rename alone may be forgotten."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
