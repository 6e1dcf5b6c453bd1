"""What is compared: ways to train one student on one pool of pseudo-labels."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.pseudo_labels import Setting
from llkd.base_models import ModelSource
from llkd.distiller import distill
from llkd.held_out import split_held_out
from llkd.selection.factory import build_selector
from llkd.specs import (
    AllSelection,
    ClassConfidenceSelection,
    DistillationSpec,
    FreeMatchSelection,
    Label,
    LlkdSelection,
    ProvidedTeacher,
    RandomSelection,
    SelectionSpec,
    StudentSpec,
    StudentUncertaintySelection,
    TeacherConfidenceSelection,
    TrainingSpec,
)
from llkd.students.factory import build_student
from llkd.training_plan import TrainingPlan
from llkd.types import IntArray

_AT_ONCE = 512


@dataclass(frozen=True)
class Run:
    """What a training led to and what it took.

    Attributes:
        predicted: [M], answers on the test texts.
        kept: share of the samples seen that was kept.
        seconds: of the training alone, looks at held-out texts included.
    """

    strategy: str
    predicted: IntArray
    pool: int
    unique: int
    kept: float
    gradient_samples: int
    steps: int
    forwards: int
    ended: str
    averaged: bool
    seconds: float


Strategy = Callable[[Run | None], tuple[SelectionSpec, TrainingSpec]]
"""From LLKD's run, where there is one, to what is trained; rivals of equal cost need it."""


def _by_default(selection: SelectionSpec) -> Strategy:
    """As a job would train it that says nothing more."""
    return lambda _: (selection, TrainingSpec())


def _fixed(selection: SelectionSpec, *, epochs: int) -> Strategy:
    """The usual way: so many passes, and the weights at their end."""
    return lambda _: (selection, TrainingSpec(epochs=epochs, early_stopping=False))


def _as_many_steps(selection_of: Callable[[Run], SelectionSpec]) -> Strategy:
    """As many optimizer steps as LLKD took, and the weights at their end."""

    def choose(llkd: Run | None) -> tuple[SelectionSpec, TrainingSpec]:
        assert llkd is not None, "LLKD is run first"
        training = TrainingSpec(max_steps=max(1, llkd.steps), early_stopping=False)
        return selection_of(llkd), training

    return choose


STRATEGIES: dict[str, Strategy] = {
    "llkd": _by_default(LlkdSelection()),
    "all, 3 epochs": _fixed(AllSelection(), epochs=3),
    "all, 2 epochs": _fixed(AllSelection(), epochs=2),
    "all, 1 epoch": _fixed(AllSelection(), epochs=1),
    "class_confidence, LLKD's steps": _as_many_steps(lambda _: ClassConfidenceSelection()),
    "random, LLKD's size and steps": _as_many_steps(
        lambda llkd: RandomSelection(share=max(0.01, llkd.kept))
    ),
    "all, LLKD's steps": _as_many_steps(lambda _: AllSelection()),
    "llkd, ragged": _by_default(LlkdSelection(ragged=True)),
    "student_uncertainty": _by_default(StudentUncertaintySelection()),
    "teacher_confidence": _fixed(TeacherConfidenceSelection(), epochs=3),
    "freematch": _fixed(FreeMatchSelection(), epochs=3),
}
QUICK = ("llkd", "all, 3 epochs", "class_confidence, LLKD's steps", "random, LLKD's size and steps")


def run_strategy(
    name: str,
    setting: Setting,
    *,
    seed: int,
    llkd: Run | None,
    student_spec: StudentSpec,
    overrides: dict[str, object],
) -> Run:
    """Train a student and let it answer the test texts."""
    selection, training = STRATEGIES[name](llkd)
    asked = {**training.model_dump(), "seed": seed, "device": "cpu", **overrides}
    training = TrainingSpec.model_validate(asked)
    spec = DistillationSpec(
        labels=tuple(Label(name=label) for label in setting.labels),
        teacher=ProvidedTeacher(),
        student=student_spec,
        selection=selection,
        training=training,
    )
    learned, held_out = split_held_out(setting.pool, seed=seed)
    started = time.monotonic()
    student = build_student(
        spec.student, spec.training, class_count=setting.pool.class_count, source=ModelSource()
    )
    selector = build_selector(spec.selection, pool=learned, seed=seed)
    plan = TrainingPlan.of(spec)
    *_, last = distill(student, learned, selector, plan=plan, held_out=held_out)
    seconds = time.monotonic() - started
    parts = [
        student.predict(setting.test_texts[start : start + _AT_ONCE]).probabilities.argmax(axis=1)
        for start in range(0, len(setting.test_texts), _AT_ONCE)
    ]
    return Run(
        strategy=name,
        predicted=np.concatenate(parts),
        pool=len(learned),
        unique=last.unique_used,
        kept=last.selected,
        gradient_samples=last.counters["gradient_samples"],
        steps=last.step,
        forwards=last.counters["forwards"],
        ended=last.stopped or "",
        averaged=last.state.best_is_average and last.best_score is not None,
        seconds=seconds,
    )
