"""A local teacher that needs no key: text vectors and a classifier fitted on the labels."""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from llkd.specs import Label
from llkd.teachers.linear_head import LabelledVectors, LinearHead, fit_head
from llkd.teachers.readable import is_readable
from llkd.types import (
    AnswerStatus,
    ConfidenceSource,
    FloatArray,
    Question,
    TeacherAnswer,
)

# Part of the fingerprint. Raise it with any change after which equal labels and weights
# would give other answers.
RECIPE_VERSION = 1


class Embedder(Protocol):
    """Turns texts into vectors."""

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """[N, L, H]: L layers of an encoder, the last one last, each vector of length 1."""
        ...


class FewShotClassifier:
    """Fits itself on the labels' names, descriptions and examples when first asked.

    A text longer than the embedder reads is judged by its beginning.
    """

    def __init__(
        self,
        labels: Sequence[Label],
        *,
        model: str,
        weights_sha256: str,
        load_embedder: Callable[[], Embedder],
    ) -> None:
        self._labels = tuple(labels)
        self._model = model
        self._weights_sha256 = weights_sha256
        self._load_embedder = load_embedder

    @property
    def fingerprint(self) -> str:
        """Sha256 over the recipe, the base model's files and the labels with all they say.

        The task's instruction is left out: an embedding does not read it.
        """
        labels = [[label.name, label.description, *label.examples] for label in self._labels]
        decides = json.dumps(["few_shot", RECIPE_VERSION, self._weights_sha256, labels])
        return hashlib.sha256(decides.encode()).hexdigest()

    @property
    def model(self) -> str:
        return f"few_shot/{self._model}"

    @property
    def batch_size(self) -> int:
        # Enough texts of each length to fill the embedder's batches.
        return 512

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        """Answer each question; text that is no valid Unicode is `malformed`."""
        readable = [place for place, asked in enumerate(questions) if is_readable(asked.text)]
        answers = [TeacherAnswer(AnswerStatus.MALFORMED) for _ in questions]
        if readable:
            vectors = self._embedder.embed([questions[place].text for place in readable])
            rows = self.head.probabilities(vectors)
            for place, row in zip(readable, rows, strict=True):
                answers[place] = _answered(row)
        return answers

    @cached_property
    def head(self) -> LinearHead:
        """The fitted classifier, with its temperature."""
        texts: list[str] = []
        labels: list[int] = []
        is_description: list[bool] = []
        for place, label in enumerate(self._labels):
            # A repeated example would be held out and fitted on at the same time.
            own = [describe(label), *dict.fromkeys(label.examples)]
            texts += own
            labels += [place] * len(own)
            is_description += [True] + [False] * (len(own) - 1)
        return fit_head(
            LabelledVectors(
                self._embedder.embed(texts),
                np.array(labels, dtype=np.int64),
                np.array(is_description, dtype=np.bool_),
                class_count=len(self._labels),
            )
        )

    @cached_property
    def _embedder(self) -> Embedder:
        return self._load_embedder()


def describe(label: Label) -> str:
    """A label as a text: its name in words, then its description."""
    name = " ".join(label.name.replace("_", " ").split())
    return f"{name}: {label.description.strip()}" if label.description.strip() else name


def _answered(probabilities: FloatArray) -> TeacherAnswer:
    label = int(probabilities.argmax())
    return TeacherAnswer(
        AnswerStatus.ANSWERED,
        label=label,
        probabilities=tuple(probabilities.tolist()),
        confidence=float(probabilities[label]),
        confidence_source=ConfidenceSource.CALIBRATED,
    )
