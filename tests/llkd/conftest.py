"""What tests of the method share: a tiny base model, and students made of it."""

from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
import torch

from llkd.base_models import ModelSource
from llkd.precision import Precision
from llkd.specs import EncoderSpec, StaticSpec, TrainingSpec
from llkd.students.factory import build_student
from llkd.students.network_student import NetworkStudent
from tests.llkd.tiny_bert import make_pool, write_tiny_bert

TINY = "local/tiny"


class MakeStudent(Protocol):
    """Makes an untrained student of the tiny base model."""

    def __call__(
        self,
        *,
        seed: int = 1,
        class_count: int = 3,
        max_length: int = 32,
        precision: Precision = "float32",
    ) -> NetworkStudent: ...


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
def make_student(
    request: pytest.FixtureRequest, source: ModelSource, one_thread: None
) -> MakeStudent:
    """Makes encoders, or students of the kind that the test is parametrized with."""
    make_spec: type[EncoderSpec | StaticSpec] = getattr(request, "param", EncoderSpec)

    def make(
        *,
        seed: int = 1,
        class_count: int = 3,
        max_length: int = 32,
        precision: Precision = "float32",
    ) -> NetworkStudent:
        student = build_student(
            make_spec(model=TINY, max_length=max_length),
            TrainingSpec(seed=seed, device="cpu", precision=precision),
            class_count=class_count,
            source=source,
        )
        assert isinstance(student, NetworkStudent)
        return student

    return make


def learn(student: NetworkStudent, *, steps: int = 3, seed: int = 0) -> list[float]:
    """Take steps on a small pool; returns their losses."""
    pool = make_pool(32, seed=seed)
    return [
        student.update(pool.texts, pool.labels, np.ones(32), learning_rate=1e-3).loss
        for _ in range(steps)
    ]
