"""What is compared: ways to train one student on one pool of pseudo-labels."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from benchmarks.pseudo_labels import Setting
from llkd.base_models import ModelSource
from llkd.buying import Buyer
from llkd.distiller import distill
from llkd.held_out import held_out_score, split_held_out
from llkd.selection.factory import build_selector, fit_to_pool
from llkd.specs import (
    AllSelection,
    Candidate,
    ClassConfidenceSelection,
    FreeMatchSelection,
    LlkdSelection,
    RandomSelection,
    SingleSelection,
    SingleStudent,
    StudentUncertaintySelection,
    TeacherConfidenceSelection,
    TrainingSpec,
)
from llkd.students.factory import build_student
from llkd.training_plan import TrainingPlan
from llkd.types import IntArray, Pool

_AT_ONCE = 512


# Of the pool, what lazy labelling and its rival may ask about.
BUDGET = 0.25


@dataclass(frozen=True)
class Run:
    """What a training led to and what it took.

    Attributes:
        predicted: [M], answers on the test texts.
        kept: share of the samples seen that was kept.
        teacher_answers: texts that the teacher was asked about.
        right: share of the pseudo-labels learned from that are gold's; None without gold.
        confidence: which confidences of the answers were read.
        held_out_score: macro-F1 of the final student on held-out confident pseudo-labels:
            what `auto` chooses by. None where nothing was held out.
        seconds: of one core: training, looks at held-out texts and choosing what to ask.
    """

    strategy: str
    predicted: IntArray
    pool: int
    unique: int
    kept: float
    gradient_samples: int
    steps: int
    forwards: int
    teacher_answers: int
    right: float | None
    confidence: str
    held_out_score: float | None
    ended: str
    averaged: bool
    seconds: float


@dataclass(frozen=True)
class Recipe:
    """How a student is trained, and on the answers to which texts."""

    selection: SingleSelection
    training: TrainingSpec = field(default_factory=TrainingSpec)
    answers: Literal["all", "lazy", "random"] = "all"


Strategy = Callable[[Mapping[str, Run]], Recipe]
"""From the runs so far to what is trained: rivals of equal cost follow what they rival."""


def _by_default(selection: SingleSelection, *, answers: Literal["all", "lazy"] = "all") -> Strategy:
    """As a job would train it that says nothing more."""
    return lambda _: Recipe(selection, answers=answers)


def _fixed(selection: SingleSelection, *, epochs: int) -> Strategy:
    """The usual way: so many passes, and the weights at their end."""
    return lambda _: Recipe(selection, TrainingSpec(epochs=epochs, early_stopping=False))


def _as_many_steps(
    selection_of: Callable[[Run], SingleSelection],
    *,
    rival: str = "llkd",
    answers: Literal["all", "random"] = "all",
) -> Strategy:
    """As many optimizer steps as the rival took, and the weights at their end."""

    def choose(runs: Mapping[str, Run]) -> Recipe:
        first = runs[rival]
        training = TrainingSpec(max_steps=max(1, first.steps), early_stopping=False)
        return Recipe(selection_of(first), training, answers)

    return choose


# In an order in which whoever is followed comes first.
STRATEGIES: dict[str, Strategy] = {
    "llkd": _by_default(LlkdSelection()),
    "all, 3 epochs": _fixed(AllSelection(), epochs=3),
    "class_confidence, LLKD's steps": _as_many_steps(lambda _: ClassConfidenceSelection()),
    "random, LLKD's size and steps": _as_many_steps(
        lambda llkd: RandomSelection(share=max(0.01, llkd.kept))
    ),
    "llkd, lazy": _by_default(LlkdSelection(labeling="lazy"), answers="lazy"),
    "random answers, class_confidence": _as_many_steps(
        lambda _: ClassConfidenceSelection(share=0.7), rival="llkd, lazy", answers="random"
    ),
    "all, 2 epochs": _fixed(AllSelection(), epochs=2),
    "all, 1 epoch": _fixed(AllSelection(), epochs=1),
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
    runs: Mapping[str, Run],
    student_spec: SingleStudent,
    overrides: Mapping[str, object],
) -> Run:
    """Train a student and let it answer the test texts."""
    recipe = STRATEGIES[name](runs)
    asked = {**recipe.training.model_dump(), "seed": seed, "device": "cpu", **overrides}
    # Of this process's own core: what else the machine does is not counted.
    started = time.process_time()
    places, by_lot = _asked_about(recipe, setting, seed=seed)
    pool, used = setting.answered(places, by_lot=by_lot, seed=seed)
    learned, held_out = split_held_out(pool, seed=seed)
    candidate = fit_to_pool(
        Candidate(
            student=student_spec,
            selection=recipe.selection,
            training=TrainingSpec.model_validate(asked),
        ),
        learned,
    )
    student = build_student(
        candidate.student,
        candidate.training,
        class_count=pool.class_count,
        source=ModelSource(),
    )
    selector = build_selector(candidate.selection, pool=learned, seed=seed)
    plan = TrainingPlan.of(candidate, pool_size=len(learned))
    *_, last = distill(student, learned, selector, plan=plan, held_out=held_out)
    seconds = time.process_time() - started
    score = None
    if held_out is not None:
        answers = student.predict(held_out.texts)
        score = held_out_score(answers.probabilities, held_out.labels)
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
        teacher_answers=len(places),
        right=_share_right(pool, setting.gold[places]),
        confidence=used,
        held_out_score=score,
        ended=last.stopped or "",
        averaged=last.state.best_is_average and last.best_score is not None,
        seconds=seconds,
    )


def _share_right(pool: Pool, gold: IntArray) -> float | None:
    known = gold >= 0
    return float((pool.labels == gold)[known].mean()) if known.any() else None


def _asked_about(recipe: Recipe, setting: Setting, *, seed: int) -> tuple[IntArray, IntArray]:
    """Places of the texts whose answers are there to learn from, and those chosen by lot."""
    size = len(setting.pool)
    most = size if recipe.answers == "all" else round(BUDGET * size)
    if recipe.answers != "lazy":
        places = np.sort(np.random.default_rng(seed).permutation(size)[:most])
        return places, places
    buyer = Buyer(setting.vectors, class_count=setting.pool.class_count, seed=seed)
    bought: IntArray = np.arange(0)
    while len(places := buyer.choose(most=most - len(bought))):
        buyer.note(places, setting.pool.labels[places], setting.pool.confidence[places])
        bought = np.concatenate([bought, places])
    return np.sort(bought), buyer.audit
