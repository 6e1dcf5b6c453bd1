"""The values that teachers, selectors and students hand each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Json = dict[str, Any]

# Probabilities written with three decimals over 20 labels add up to 1 within this; what is
# further off was not meant as probabilities.
SUM_TOLERANCE = 0.02


class AnswerStatus(StrEnum):
    """What became of one question; everything but `answered` has no label."""

    ANSWERED = "answered"
    REFUSED = "refused"
    MALFORMED = "malformed"
    TOO_LONG = "too_long"
    # The server could not be brought to answer this one; others it answered.
    FAILED = "failed"
    MISSING = "missing"


class ConfidenceSource(StrEnum):
    """Where a confidence comes from; `none` means that it is unknown, not zero."""

    # A classifier's own probability: of few_shot, calibrated by cross-validation.
    CALIBRATED = "calibrated"
    # Of zero_shot: a softmax over entailments or similarities, calibrated by nothing yet.
    CLASSIFIER = "classifier"
    # A language model's probability of each label, exact.
    LABEL_LOGPROB = "label_logprob"
    # The same from a list of the likeliest tokens, in which a label may be missing.
    TRUNCATED_LOGPROB = "truncated_logprob"
    # The share of several answers, or of several teachers, that agree.
    VOTES = "votes"
    # What a language model says of its own sureness.
    VERBALISED = "verbalised"
    PROVIDED = "provided"
    NONE = "none"


@dataclass(frozen=True)
class ProvidedAnswer:
    """An answer made elsewhere, as it stands in the dataset.

    Attributes:
        label: as written in the file; may not be one of the job's labels.
        confidence: in [0, 1], or None.
        probabilities: label name to probability, or None.
        votes: label name to how many of several answers gave it, or None.
    """

    label: str | None
    confidence: float | None = None
    probabilities: dict[str, float] | None = None
    votes: dict[str, int] | None = None


@dataclass(frozen=True)
class Question:
    """One text put to a teacher, with the answer the dataset already holds for it, if any."""

    text: str
    provided: ProvidedAnswer | None = None


@dataclass(frozen=True)
class TeacherAnswer:
    """What a teacher said of one text.

    Attributes:
        label: index into the job's labels; None unless `answered`.
        probabilities: K values that sum to 1, float64 and unrounded (real confidences
            tie and saturate; rounding makes it worse), or None when unknown.
        confidence: probability of `label`, in [0, 1], or None when unknown.
        label_mass: probability that the answer is one of the labels at all, before the labels'
            probabilities were made to sum to 1; None where that is not known.
        cost_micros: millionths of a US dollar.
        model: the name by which the server calls the model that answered, if it says so.
        rung: the way in which the answer was got from a server that offers several.
    """

    status: AnswerStatus
    label: int | None = None
    probabilities: tuple[float, ...] | None = None
    confidence: float | None = None
    confidence_source: ConfidenceSource = ConfidenceSource.NONE
    tokens_in: int = 0
    tokens_out: int = 0
    cost_micros: int = 0
    label_mass: float | None = None
    model: str | None = None
    rung: str | None = None


@dataclass(frozen=True)
class Pool:
    """What a student is trained on: texts with their pseudo-labels, one entry a different text.

    Attributes:
        texts: N texts.
        labels: [N], pseudo-label indices in 0..K-1.
        confidence: [N], the teacher's probability of each pseudo-label; NaN when unknown.
        class_count: K.
        gold: [N], in 0..K-1, -1 where it is not known; None where none is. Some of it may
            tell when to stop; nothing is learned from it.
        corrected: [N], True where a person gave the label in the teacher's place; None where
            none did.
    """

    texts: Sequence[str]
    labels: IntArray
    confidence: FloatArray
    class_count: int
    gold: IntArray | None = None
    corrected: BoolArray | None = None

    def __post_init__(self) -> None:
        if not len(self.texts) == len(self.labels) == len(self.confidence):
            raise ValueError(
                f"a pool needs one label and one confidence a text: {len(self.texts)} texts, "
                f"{len(self.labels)} labels, {len(self.confidence)} confidences"
            )

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, index: IntArray) -> "Pool":
        """The pool of these entries, in this order."""
        return Pool(
            [self.texts[i] for i in index],
            self.labels[index],
            self.confidence[index],
            self.class_count,
            None if self.gold is None else self.gold[index],
            None if self.corrected is None else self.corrected[index],
        )

    @property
    def is_teachers(self) -> BoolArray:
        """[N], whether the label is the teacher's own."""
        if self.corrected is None:
            return np.ones(len(self), dtype=np.bool_)
        teachers: BoolArray = ~self.corrected
        return teachers


@dataclass(frozen=True)
class Classified:
    """A predictor's or student's answers to N texts.

    Attributes:
        probabilities: [N, K], rows sum to 1.
        truncated: [N], True where the text was longer than the model reads.
        tokens: tokens read, over all texts.
    """

    probabilities: FloatArray
    truncated: BoolArray
    tokens: int
