"""Several answers to one text, drawn from the model, and how many of them agree."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from llkd.teachers.chat.matching import Options
from llkd.teachers.chat.prompt import AnswerFormat
from llkd.teachers.chat.reading import Choice
from llkd.teachers.chat.rungs.base import CODE_TOKENS, MALFORMED, REFUSED
from llkd.types import AnswerStatus, ConfidenceSource, Json, TeacherAnswer


@dataclass(frozen=True)
class Votes:
    """Shares of the answers, at a temperature of 1: estimates of the model's probabilities.

    Source: self-consistency, Wang et al. (2022), arXiv 2203.11171, without the reasoning.

    Attributes:
        answers: how many are drawn.
        at_once: whether one request can draw them all; else each is a request.
    """

    answers: int
    at_once: bool
    name: ClassVar[str] = "votes"
    format: ClassVar[AnswerFormat] = AnswerFormat.CODE
    most_tokens: ClassVar[int] = CODE_TOKENS
    temperature: ClassVar[float] = 1.0

    def fields(self, options: Options) -> Json:
        return {"n": self.answers} if self.at_once else {}

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        """Count the labels named; an answer that names none has no vote, but counts as mass lost.

        Of labels with as many votes the one that was named first wins.
        """
        # A server may send more than it was asked for.
        drawn = choices[: self.answers]
        named = [None if each.refused else options.named_by(each.text) for each in drawn]
        votes = Counter(label for label in named if label is not None)
        if not votes:
            return REFUSED if all(each.refused for each in drawn) else MALFORMED
        valid = votes.total()
        label, most = votes.most_common(1)[0]
        return TeacherAnswer(
            AnswerStatus.ANSWERED,
            label=label,
            probabilities=tuple(votes[i] / valid for i in range(len(options.labels))),
            confidence=most / valid,
            confidence_source=ConfidenceSource.VOTES,
            label_mass=valid / len(drawn),
            rung=self.name,
        )
