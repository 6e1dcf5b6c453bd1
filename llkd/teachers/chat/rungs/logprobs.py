"""Probabilities of the labels' codes as the answer's first token."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from llkd.teachers.chat.distribution import (
    LOWEST,
    Distribution,
    added,
    different_tokens,
    floor_of,
    from_scores,
)
from llkd.teachers.chat.matching import Options
from llkd.teachers.chat.prompt import AnswerFormat
from llkd.teachers.chat.reading import Choice
from llkd.teachers.chat.rungs.base import CODE_TOKENS
from llkd.teachers.chat.rungs.text import plain_answer
from llkd.types import AnswerStatus, ConfidenceSource, Json, TeacherAnswer

# The most that OpenAI lists, and what vLLM lists unless it is told otherwise.
LISTED_TOKENS = 20
# The most that vLLM computes for one request.
MOST_TOKEN_IDS = 128


@dataclass(frozen=True)
class TopLogprobs:
    """Reads the labels' probabilities off the list of the likeliest first tokens.

    A label that is not listed gets the most that it can have; see `floor_of`.
    """

    name: ClassVar[str] = "top_logprobs"
    format: ClassVar[AnswerFormat] = AnswerFormat.CODE
    most_tokens: ClassVar[int] = CODE_TOKENS
    answers: ClassVar[int] = 1
    temperature: ClassVar[float] = 0.0

    def fields(self, options: Options) -> Json:
        return {"logprobs": True, "top_logprobs": LISTED_TOKENS}

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        choice = choices[0]
        chosen = None if choice.chosen is None else options.token_of(choice.chosen.token)
        found = _listed(choice, options) if _is_code(choice, chosen, options) else None
        return _answer(choice, found, options, name=self.name)


@dataclass(frozen=True)
class TokenLogprobs:
    """Asks for the probabilities of the codes' own tokens, by their ids: vLLM.

    Attributes:
        token_ids: code to the id of the one token that it is at an answer's beginning.
    """

    token_ids: Mapping[str, int]
    name: ClassVar[str] = "logprob_token_ids"
    format: ClassVar[AnswerFormat] = AnswerFormat.CODE
    most_tokens: ClassVar[int] = CODE_TOKENS
    answers: ClassVar[int] = 1
    temperature: ClassVar[float] = 0.0

    def fields(self, options: Options) -> Json:
        ids = [self.token_ids[code] for code in options.deck.codes]
        return {
            "logprobs": True,
            # Versions differ in whether this has to be as many as the ids; it then is, up
            # to what a server allows to ask for.
            "top_logprobs": min(len(ids), LISTED_TOKENS),
            "logprob_token_ids": ids,
            "return_tokens_as_token_ids": True,
        }

    def read(self, choices: Sequence[Choice], options: Options) -> TeacherAnswer:
        choice = choices[0]
        named = {f"token_id:{self.token_ids[c]}": i for i, c in enumerate(options.deck.codes)}
        chosen = None if choice.chosen is None else named.get(choice.chosen.token)
        tokens = different_tokens(choice.chosen, choice.listed)
        scores = {named[token]: tokens[token] for token in named.keys() & tokens.keys()}
        # Nothing bounds a label that the server left out: the other labels are not the
        # likeliest tokens. So a row has all of them or none.
        complete = len(scores) == len(named) and _is_code(choice, chosen, options)
        found = from_scores(scores, class_count=len(named), floor=LOWEST) if complete else None
        return _answer(choice, found, options, name=self.name)


def _listed(choice: Choice, options: Options) -> Distribution | None:
    """The labels' probabilities by a list; None if there is none, or no label is known."""
    tokens = different_tokens(choice.chosen, choice.listed)
    scores: dict[int, float] = {}
    for token, logprob in tokens.items():
        label = options.token_of(token)
        if label is not None:
            # "B" and " B" are two tokens and one answer.
            scores[label] = added(logprob, scores[label]) if label in scores else logprob
    listed = different_tokens(None, choice.listed)
    if not scores or not listed:
        return None
    floor = floor_of(listed.values(), known=tokens.values())
    return from_scores(scores, class_count=len(options.labels), floor=floor)


def _is_code(choice: Choice, chosen: int | None, options: Options) -> bool:
    """Whether the first token is the whole answer.

    Only then are its probabilities the labels': the "B" of "Because" or of a label's name
    is no answer, nor is a line break before one.
    """
    return chosen is not None and chosen == options.coded_by(choice.text)


def _answer(
    choice: Choice, found: Distribution | None, options: Options, *, name: str
) -> TeacherAnswer:
    """An answer with probabilities where there are some, else by its text alone."""
    if choice.refused or found is None:
        return plain_answer(choice, options)
    return TeacherAnswer(
        AnswerStatus.ANSWERED,
        label=found.label,
        probabilities=found.probabilities,
        confidence=found.probabilities[found.label],
        confidence_source=(
            ConfidenceSource.TRUNCATED_LOGPROB
            if found.truncated
            else ConfidenceSource.LABEL_LOGPROB
        ),
        label_mass=found.mass,
        rung=name,
    )
