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
from llkd.estimated_confidence import Used, choose_confidence, estimate_confidence
from llkd.specs import OFFLINE_MODEL, DistillationSpec, FewShotTeacher, Label, label_key
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
        trusts_given: whether the teacher's confidences are read as they are.
        test_texts, test_gold: [M], what scores.
        pool_accuracy: of the teacher on the pool, where gold is known.
    """

    name: str
    labels: tuple[str, ...]
    pool: Pool
    vectors: NDArray[np.float32]
    trusts_given: bool
    test_texts: tuple[str, ...]
    test_gold: IntArray
    pool_accuracy: float

    def with_test(self, count: int) -> "Setting":
        """The same with its first test texts alone."""
        return replace(self, test_texts=self.test_texts[:count], test_gold=self.test_gold[:count])

    def answered(self, places: IntArray, *, seed: int) -> tuple[Pool, Used]:
        """The pool as it is when these texts alone were asked about.

        Returns:
            It, with the confidences that a job with `confidence: "auto"` reads, and which
            ones those are.
        """
        pool = self.pool.take(places)
        if self.trusts_given or len(np.unique(pool.labels)) < 2:
            return pool, "given"
        estimate = estimate_confidence(self.vectors[places], pool, seed=seed)
        used = choose_confidence(pool, estimate)
        confidences = {
            "given": pool.confidence,
            "estimated": estimate.values,
            "none": np.full(len(pool), np.nan),
        }
        return replace(pool, confidence=confidences[used]), used


def load_setting(
    folder: Path, teacher: TeacherChoice, *, split: str, seed: int, limit: int | None
) -> Setting:
    """Read the folder and have its pool labelled.

    Raises:
        NotAFolderOfOurs: the folder or the teacher's file cannot be read.
    """
    task = read_task(folder, per_class=teacher.k or 0, seed=seed, limit=limit, split=split)
    if teacher.file is None:
        pool = _labelled_by_few_shot(task)
    else:
        pool = _provided(folder / teacher.file, task, seed=seed, limit=limit)
    gold = dict(zip(task.pool, task.pool_gold, strict=True))
    right = [
        gold[t] == task.labels[y] for t, y in zip(pool.texts, pool.labels, strict=True) if t in gold
    ]
    return Setting(
        name=folder.name,
        labels=task.labels,
        pool=pool,
        vectors=_embed(pool.texts),
        trusts_given=teacher.file is None,
        test_texts=tuple(each.text for each in task.test),
        test_gold=np.array([task.labels.index(each.label) for each in task.test]),
        pool_accuracy=float(np.mean(right)) if right else float("nan"),
    )


def _embed(texts: Sequence[str]) -> NDArray[np.float32]:
    embedder = LocalEmbedder.from_folder(locate(OFFLINE_MODEL, revision=None, source=ModelSource()))
    parts = [
        embedder.embed(texts[start : start + _AT_ONCE])[:, -1].astype(np.float32)
        for start in range(0, len(texts), _AT_ONCE)
    ]
    return np.concatenate(parts)


def _labelled_by_few_shot(task: Task) -> Pool:
    spec = DistillationSpec(
        labels=tuple(Label(name=name, examples=task.examples[name]) for name in task.labels),
        teacher=FewShotTeacher(),
    )
    teacher = build_teacher(spec, source=ModelSource())
    labels: list[int] = []
    confidence: list[float] = []
    for start in range(0, len(task.pool), _AT_ONCE):
        for answer in teacher.answer([Question(t) for t in task.pool[start : start + _AT_ONCE]]):
            assert answer.label is not None, "a readable text has an answer"
            assert answer.confidence is not None
            labels.append(answer.label)
            confidence.append(answer.confidence)
    return Pool(task.pool, np.array(labels), np.array(confidence), len(task.labels))


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
