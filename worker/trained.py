"""Takes a trained student out of the artifact store, to measure and to export it."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.artifacts import ArtifactStore
from llkd.specs import DistillationSpec
from llkd.students.base import Student
from llkd.students.encoder import EncoderClassifier
from llkd.students.encoder_student import EncoderStudent
from llkd.students.factory import choose_device
from llkd.tokens import TextReader


@contextmanager
def unpacked(artifacts: ArtifactStore, tree: str) -> Iterator[Path]:
    """A folder with the tree's files under their own names, gone when the block ends."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, path in artifacts.tree(tree).items():
            (folder / file).symlink_to(path.resolve())
        yield folder


def load_trained(folder: Path, spec: DistillationSpec) -> Student:
    """The student that `Student.save_model` wrote, on the device that training would use."""
    return EncoderStudent(
        EncoderClassifier.load(folder),
        TextReader(folder, max_length=spec.student.max_length),
        max_length=spec.student.max_length,
        weight_decay=spec.training.weight_decay,
        seed=spec.training.seed,
        device=choose_device(spec.training.device),
    )
