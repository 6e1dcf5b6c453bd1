"""A teacher that reads what was answered elsewhere: the dataset's teacher columns."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from llkd.specs import Label, label_key
from llkd.types import (
    SUM_TOLERANCE,
    AnswerStatus,
    ConfidenceSource,
    FloatArray,
    ProvidedAnswer,
    Question,
    TeacherAnswer,
)

_MALFORMED = TeacherAnswer(AnswerStatus.MALFORMED)


class ProvidedAnswers:
    """Checks each given answer against the labels; adds and guesses nothing.

    Args:
        source: where confidences and probabilities come from that were given as such; votes
            that were given as votes are known for what they are.
    """

    def __init__(
        self, labels: Sequence[Label], *, source: ConfidenceSource = ConfidenceSource.PROVIDED
    ) -> None:
        self._index = {label_key(label.name): place for place, label in enumerate(labels)}
        self._source = source

    @property
    def fingerprint(self) -> str:
        """Sha256 of the kind, where confidences come from, and the labels' keys in order.

        Nothing else decides an answer.
        """
        decides = json.dumps(["provided", self._source, list(self._index)])
        return hashlib.sha256(decides.encode()).hexdigest()

    @property
    def model(self) -> str:
        return "provided"

    @property
    def batch_size(self) -> int:
        return 1000

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        """Read each answer: `missing` when there is none, `malformed` when it makes no sense."""
        return [self._read(question.provided) for question in questions]

    def _read(self, provided: ProvidedAnswer | None) -> TeacherAnswer:
        if provided is None:
            return TeacherAnswer(AnswerStatus.MISSING)
        if provided.votes is not None:
            return self._read_votes(provided.votes, beside=provided.label)
        if provided.probabilities is not None:
            return self._read_probabilities(provided.probabilities, beside=provided.label)
        if provided.label is None or not provided.label.strip():
            return TeacherAnswer(AnswerStatus.MISSING)
        return self._read_label(provided.label, provided.confidence)

    def _read_label(self, name: str, confidence: float | None) -> TeacherAnswer:
        label = self._index.get(label_key(name))
        # NaN fails both comparisons and so counts as outside.
        if label is None or not (confidence is None or 0 <= confidence <= 1):
            return _MALFORMED
        return TeacherAnswer(
            AnswerStatus.ANSWERED,
            label=label,
            confidence=None if confidence is None else float(confidence),
            confidence_source=(ConfidenceSource.NONE if confidence is None else self._source),
        )

    def _read_probabilities(
        self, given: Mapping[str, float], *, beside: str | None
    ) -> TeacherAnswer:
        """Take a distribution; labels it leaves out have probability 0."""
        row = np.zeros(len(self._index))
        keys = [label_key(name) for name in given]
        if len(set(keys)) < len(keys) or not set(keys) <= set(self._index):
            return _MALFORMED
        for key, value in zip(keys, given.values(), strict=True):
            if not (math.isfinite(value) and value >= 0):
                return _MALFORMED
            row[self._index[key]] = value
        total = row.sum()
        if abs(total - 1) > SUM_TOLERANCE:
            return _MALFORMED
        return self._largest(row / total, beside=beside, source=self._source)

    def _read_votes(self, given: Mapping[str, int], *, beside: str | None) -> TeacherAnswer:
        """Take each label's share of the votes for its probability.

        A vote for no label of the job is left out, and the answer says what share of the
        votes stayed (`label_mass`).
        """
        row = np.zeros(len(self._index))
        for name, count in given.items():
            label = self._index.get(label_key(name))
            if label is not None:
                row[label] += count
        total = sum(given.values())
        if min(given.values(), default=0) < 0 or not row.any():
            return _MALFORMED
        answer = self._largest(row / row.sum(), beside=beside, source=ConfidenceSource.VOTES)
        return replace(answer, label_mass=float(row.sum() / total))

    def _largest(
        self, row: FloatArray, *, beside: str | None, source: ConfidenceSource
    ) -> TeacherAnswer:
        """Answer with a distribution's likeliest label.

        The distribution says more than a label that stands beside it. Where several are
        equally likely that label is taken, if it is one of them, else the first of them in
        the order of the labels.

        Args:
            row: [K], sums to 1.
        """
        winners = np.flatnonzero(row == row.max()).tolist()
        named = None if beside is None else self._index.get(label_key(beside))
        label = named if named in winners else winners[0]
        return TeacherAnswer(
            AnswerStatus.ANSWERED,
            label=label,
            probabilities=tuple(row.tolist()),
            confidence=float(row[label]),
            confidence_source=source,
        )
