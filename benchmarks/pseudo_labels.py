"""A folder of a labelled data set and a teacher: what a student learns from and is tested on.

Gold labels of train go nowhere but into the teacher's few examples; those of test score.
"""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.gold_folder import NotAFolderOfOurs, Task, read_task
from llkd.base_models import ModelSource, locate
from llkd.estimated_confidence import (
    Used,
    choose_confidence,
    estimate_confidence,
    read_confidence,
)
from llkd.priors import correct, estimate_prior, tell_the_prior
from llkd.specs import OFFLINE_MODEL, FewShotTeacher, Label, label_key
from llkd.teachers.factory import build_teacher
from llkd.teachers.local_embedder import LocalEmbedder
from llkd.types import FloatArray, IntArray, Pool, Question

_AT_ONCE = 512


@dataclass(frozen=True)
class TeacherChoice:
    """`few_shot:k=K`, or `provided:FILE` with a line {"text", "label", "confidence"} a text."""

    k: int | None
    file: str | None

    @classmethod
    def parse(cls, written: str) -> "TeacherChoice":
        """Read the option as it is written.

        Raises:
            ValueError: it is neither form.
        """
        kind, _, rest = written.partition(":")
        if kind == "provided" and rest:
            return cls(k=None, file=rest)
        if kind == "few_shot" and rest.startswith("k="):
            return cls(k=int(rest.removeprefix("k=")), file=None)
        raise ValueError(f"{written!r} is neither few_shot:k=NUMBER nor provided:FILE")

    def __str__(self) -> str:
        return f"few_shot:k={self.k}" if self.file is None else f"provided:{Path(self.file).stem}"


@dataclass(frozen=True)
class Setting:
    """One task with one teacher and one seed.

    Attributes:
        pool: the texts with pseudo-labels, and the teacher's own confidences.
        vectors: [N, H], of the pool's texts, of length 1.
        probabilities: [N, K], a few-shot teacher's; a job corrects them for the prior.
        reference: [K], how often each label occurs among its examples.
        gold: [N], in 0..K-1; -1 where it is not known. Nothing learns from it.
        test_texts, test_gold: [M], what scores.
    """

    name: str
    labels: tuple[str, ...]
    pool: Pool
    vectors: NDArray[np.float32]
    probabilities: FloatArray | None
    reference: FloatArray
    gold: IntArray
    test_texts: tuple[str, ...]
    test_gold: IntArray

    def with_test(self, count: int) -> "Setting":
        """The same with so many of its test texts: by lot, for a file may be sorted by label."""
        drawn = np.sort(np.random.default_rng(0).permutation(len(self.test_texts))[:count])
        return replace(
            self,
            test_texts=tuple(self.test_texts[place] for place in drawn),
            test_gold=self.test_gold[drawn],
        )

    def answered(self, places: IntArray, *, by_lot: IntArray, seed: int) -> tuple[Pool, Used]:
        """The pool as it is when these texts alone were asked about.

        Args:
            by_lot: places among them that were chosen by lot, for the prior.

        Returns:
            It, with the labels and confidences that a job reads by default, and which
            confidences those are.
        """
        pool = self.pool.take(places)
        if self.probabilities is not None:
            if not tell_the_prior(self.probabilities[by_lot]):
                return pool, "given"
            prior = estimate_prior(self.probabilities[by_lot], self.reference)
            corrected = correct(self.probabilities[places], prior=prior, reference=self.reference)
            labels = corrected.argmax(axis=1)
            return replace(pool, labels=labels, confidence=corrected.max(axis=1)), "given"
        if len(np.unique(pool.labels)) < 2:
            return pool, "given"
        estimate = estimate_confidence(self.vectors[places], pool, seed=seed)
        used = choose_confidence(pool, estimate)
        confidence = read_confidence(used, pool.confidence, estimate.values)
        return replace(pool, confidence=confidence), used


@dataclass(frozen=True)
class Labelled:
    """A task whose pool a teacher has answered.

    Attributes:
        pool: the texts with pseudo-labels, and the teacher's own confidences.
        probabilities: [N, K], a few-shot teacher's; None of others.
    """

    task: Task
    pool: Pool
    probabilities: FloatArray | None


def load_labelled(
    folder: Path, teacher: TeacherChoice, *, split: str, seed: int, limit: int | None
) -> Labelled:
    """Read the folder and have its pool labelled.

    Raises:
        NotAFolderOfOurs: the folder or the teacher's file cannot be read.
    """
    task = read_task(folder, per_class=teacher.k or 0, seed=seed, limit=limit, split=split)
    if teacher.file is None:
        probabilities = _asked_few_shot(task)
        labels, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        return Labelled(task, Pool(task.pool, labels, confidence, len(task.labels)), probabilities)
    pool = _provided(folder / teacher.file, task, seed=seed, limit=limit)
    return Labelled(task, pool, None)


def load_setting(
    folder: Path, teacher: TeacherChoice, *, split: str, seed: int, limit: int | None
) -> Setting:
    """The same with all that a strategy may read.

    Raises:
        NotAFolderOfOurs: the folder or the teacher's file cannot be read.
    """
    labelled = load_labelled(folder, teacher, split=split, seed=seed, limit=limit)
    task, pool = labelled.task, labelled.pool
    gold = dict(zip(task.pool, map(task.labels.index, task.pool_gold), strict=True))
    examples = np.array([1 + len(task.examples[name]) for name in task.labels])
    return Setting(
        name=folder.name,
        labels=task.labels,
        pool=pool,
        vectors=_embed(pool.texts),
        probabilities=labelled.probabilities,
        reference=examples / examples.sum(),
        gold=np.array([gold.get(text, -1) for text in pool.texts]),
        test_texts=tuple(each.text for each in task.test),
        test_gold=np.array([task.labels.index(each.label) for each in task.test]),
    )


def _embed(texts: Sequence[str]) -> NDArray[np.float32]:
    embedder = LocalEmbedder.from_folder(locate(OFFLINE_MODEL, revision=None, source=ModelSource()))
    parts = [
        embedder.embed(texts[start : start + _AT_ONCE])[:, -1].astype(np.float32)
        for start in range(0, len(texts), _AT_ONCE)
    ]
    return np.concatenate(parts)


def _asked_few_shot(task: Task) -> FloatArray:
    """[N, K], its probabilities for the pool."""
    labels = [Label(name=name, examples=task.examples[name]) for name in task.labels]
    teacher = build_teacher(FewShotTeacher(), labels=labels, source=ModelSource())
    rows: list[tuple[float, ...]] = []
    for start in range(0, len(task.pool), _AT_ONCE):
        for answer in teacher.answer([Question(t) for t in task.pool[start : start + _AT_ONCE]]):
            assert answer.probabilities is not None, "a readable text has an answer"
            rows.append(answer.probabilities)
    return np.array(rows)


def _provided(file: Path, task: Task, *, seed: int, limit: int | None) -> Pool:
    places = {label_key(name): place for place, name in enumerate(task.labels)}
    held_back = {each.text for each in task.test}
    entries: list[tuple[str, int, float]] = []
    try:
        lines = file.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except OSError as error:
        raise NotAFolderOfOurs(f"{file}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            text, label, known = entry["text"], entry["label"], entry.get("confidence")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise NotAFolderOfOurs(f"{file}, line {number}: {error!r}") from error
        place = places.get(label_key(str(label)))
        if place is None:
            raise NotAFolderOfOurs(f"{file}, line {number}: label {label!r} is not declared")
        if text not in held_back:
            entries.append((text, place, float("nan") if known is None else known))
    random.Random(seed).shuffle(entries)
    entries = entries[:limit]
    labels: IntArray = np.array([entry[1] for entry in entries])
    confidence: FloatArray = np.array([entry[2] for entry in entries], dtype=np.float64)
    return Pool([entry[0] for entry in entries], labels, confidence, len(task.labels))
