"""Takes a trained student out of the artifact store, to measure and to export it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.artifacts import ArtifactDamaged, ArtifactStore
from llkd.errors import LlkdError
from llkd.specs import TrainingSpec
from llkd.students.base import Student
from llkd.students.factory import choose_device
from llkd.students.network_student import NetworkStudent
from llkd.students.saved import Saved


class ModelDamaged(LlkdError):
    """A model that is to be learned on from is not what was stored."""

    code = "parent-model-damaged"


@contextmanager
def unpacked(artifacts: ArtifactStore, tree: str) -> Iterator[Path]:
    """A folder with the tree's files under their own names, gone when the block ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, path in artifacts.tree(tree).items():
            (folder / file).symlink_to(path.resolve())
        yield folder


@contextmanager
def verified(artifacts: ArtifactStore, tree: str) -> Iterator[Path]:
    """`unpacked`, once every file was read and found to be the one that was stored.

    Raises:
        ModelDamaged: one is not, or is missing.
    """
    try:
        for digest in artifacts.members(tree).values():
            artifacts.verify(digest)
    except ArtifactDamaged as error:
        raise ModelDamaged(f"The files of the model cannot be used: {error}.") from error
    with unpacked(artifacts, tree) as folder:
        yield folder


def load_trained(folder: Path, training: TrainingSpec) -> Student:
    """The student that `Student.save_model` wrote, on the device that training would use.

    It answers in float32, as it will be served, in whatever precision it was trained.
    """
    saved = Saved.load(folder)
    return NetworkStudent(
        saved.network,
        saved.reader,
        max_length=saved.max_length,
        weight_decay=training.weight_decay,
        seed=training.seed,
        device=choose_device(training.device),
    )
