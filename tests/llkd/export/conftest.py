"""A tiny student that has learnt something, and what was exported of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from llkd.base_models import ModelSource
from llkd.export import Exported, export_student
from llkd.model_card import ModelCard
from llkd.predictor import Predictor
from llkd.specs import EncoderSpec, Label, TrainingSpec
from llkd.students.base import Student
from llkd.students.factory import build_student
from llkd.types import FloatArray
from tests.llkd.conftest import TINY
from tests.llkd.tiny_bert import make_pool

MAX_LENGTH = 32
TEXTS = tuple(make_pool(40, seed=5).texts)


def make_card(**given: object) -> ModelCard:
    values: dict[str, object] = {
        "name": "tickets",
        "labels": [
            Label(name="billing", description="Invoices"),
            Label(name="tech"),
            Label(name="login"),
        ],
        "instruction": "Route the ticket.",
        "base_model": "local/tiny",
        "base_revision": None,
        "max_length": MAX_LENGTH,
        "teacher": "few_shot/minilm",
        "confidence_source": "calibrated",
        "selection": {"kind": "llkd", "momentum": None},
        "counts": {"Different texts": 4000},
        "scores": {},
        "seed": 42,
        "student": "encoder",
    }
    return ModelCard(**values | given)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Trained:
    """A student and the folder it was saved to."""

    student: Student
    folder: Path

    def answer(self, texts: Sequence[str]) -> FloatArray:
        return self.student.predict(texts).probabilities

    def export(self, destination: Path, **given: object) -> Exported:
        return export_student(
            self.folder, destination, card=make_card(**given), texts=TEXTS, reference=self.answer
        )


@pytest.fixture(scope="session")
def trained(source: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Far from uniform: an untrained one would answer the same to everything."""
    torch.set_num_threads(1)
    student = build_student(
        EncoderSpec(model=TINY, max_length=MAX_LENGTH),
        TrainingSpec(seed=3, device="cpu"),
        class_count=3,
        source=source,
    )
    pool = make_pool(96, seed=1)
    for start in [*range(0, 96, 32)] * 20:
        part = pool.take(torch.arange(start, start + 32).numpy())
        student.update(part.texts, part.labels, part.confidence, learning_rate=3e-3)
    folder = tmp_path_factory.mktemp("trained")
    student.save_model(folder)
    return Trained(student, folder)


@pytest.fixture(scope="session")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return trained.export(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def predictor(exported: Exported) -> Predictor:
    return Predictor.load(exported.files)
