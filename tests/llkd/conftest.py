"""What tests of the method share: a tiny base model, and students made of it."""

from pathlib import Path
from typing import Protocol

import pytest
import torch

from llkd.base_models import ModelSource
from llkd.specs import StudentSpec, TrainingSpec
from llkd.students.encoder_student import EncoderStudent
from llkd.students.factory import build_student
from tests.llkd.tiny_bert import write_tiny_bert

TINY = "local/tiny"


class MakeStudent(Protocol):
    """Makes an untrained student of the tiny base model."""

    def __call__(
        self, *, seed: int = 1, class_count: int = 3, max_length: int = 32
    ) -> EncoderStudent: ...


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder that holds `local/tiny`."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_bert(folder / "tiny")
    return folder


@pytest.fixture(scope="session")
def source(models_dir: Path) -> ModelSource:
    return ModelSource(models_dir=models_dir)


@pytest.fixture
def one_thread() -> None:
    """Sums in one order: bit-equal results are promised for a fixed number of threads."""
    torch.set_num_threads(1)


@pytest.fixture
def make_student(source: ModelSource, one_thread: None) -> MakeStudent:
    def make(*, seed: int = 1, class_count: int = 3, max_length: int = 32) -> EncoderStudent:
        student = build_student(
            StudentSpec(model=TINY, max_length=max_length),
            TrainingSpec(seed=seed, device="cpu"),
            class_count=class_count,
            source=source,
        )
        assert isinstance(student, EncoderStudent)
        return student

    return make
