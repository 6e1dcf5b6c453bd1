"""What a job's teacher would be asked, read and paid: from a sample of the texts, as intervals.

The prompt is the one that the job would send to a server (one on the worker's own machine is
told nearly the same), and the texts are the dataset's own. What is not
known is the tokenizer: tokens are a range of bytes a token, as wide as today's tokenizers differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from sqlalchemy.orm import Session

from app.jobs.intervals import NOTHING, Interval, mean_of_three, scaled, share_of
from core.db.repositories.answers import AnswerRepository
from core.ids import TenantId
from llkd.answer_keys import answer_key
from llkd.specs import (
    DistillationSpec,
    HuggingFaceTeacher,
    OpenAITeacher,
    ProvidedTeacher,
    SingleTeacher,
    members_of,
)
from llkd.teachers.chat.fingerprint import chat_fingerprint
from llkd.teachers.chat.probed import possible_rungs
from llkd.teachers.chat.prompt import ChatPrompt
from llkd.teachers.chat.rungs.base import CODE_TOKENS, JSON_TOKENS
from llkd.teachers.chat.task import ChatTask
from llkd.types import Question

SAMPLE_TEXTS = 400
MILLION = 1e6


# UTF-8 bytes a token: few tokens, the usual number, many. Other scripts than ASCII's take two
# to four bytes a character, and a tokenizer knows them by the word or by the character.
ASCII_BYTES = (5.0, 4.0, 3.0)
OTHER_BYTES = (4.5, 3.0, 1.5)
# Around one message by a chat template, and around a text by an encoder.
AROUND_MESSAGE = (3, 5, 8)
AROUND_TEXT = 2
# A code alone; a little of what a wordy model adds; a whole JSON object.
OUTPUT = Interval(1, CODE_TOKENS // 2, JSON_TOKENS)


@dataclass(frozen=True)
class TextSample:
    """Texts drawn by lot from a pile of `rows` that are to be asked about."""

    rows: int
    texts: Sequence[str]


@dataclass(frozen=True)
class TeacherEstimate:
    """Over all teachers of a job.

    Attributes:
        calls: questions to be answered, one for each text and teacher.
        cached: of them, those whose answer is stored; None where that cannot be told.
        tokens: read by the teachers.
        usd: None where a teacher's price is unknown.
        limit_seconds: what the servers' limits on requests and tokens a minute make it last at
            the least; None where no server has any.
    """

    calls: Interval
    cached: Interval | None
    tokens: Interval
    usd: Interval | None
    limit_seconds: Interval | None


def estimate_teacher(
    session: Session,
    tenant: TenantId,
    spec: DistillationSpec,
    samples: Sequence[TextSample],
    *,
    max_calls: int | None,
) -> TeacherEstimate:
    """Estimate what is bought; answers that are stored cost nothing, and `max_calls` caps all.

    Args:
        spec: with its teacher completed.
        samples: of each pile of texts, one at least.
    """
    members = [_Member(session, tenant, spec, each, samples) for each in members_of(spec.teacher)]
    calls = sum((each.calls for each in members), NOTHING)
    capped = calls if max_calls is None else calls.most(max_calls)
    share = capped / calls
    costs = [each.usd for each in members]
    known = [each.cached for each in members if each.cached is not None]
    # One after another, as an ensemble asks its members.
    limits = [each.limit_seconds for each in members if each.limit_seconds is not None]
    return TeacherEstimate(
        calls=capped,
        cached=sum(known, NOTHING) if known else None,
        limit_seconds=share * sum(limits, NOTHING) if limits else None,
        tokens=share * sum((each.tokens for each in members), NOTHING),
        usd=None
        if None in costs
        else share * sum((each for each in costs if each is not None), NOTHING),
    )


class _Member:
    """One teacher's part."""

    def __init__(
        self,
        session: Session,
        tenant: TenantId,
        spec: DistillationSpec,
        teacher: SingleTeacher,
        samples: Sequence[TextSample],
    ) -> None:
        self._session = session
        self._tenant = tenant
        self._teacher = teacher
        self._samples = samples
        self._rows = sum(each.rows for each in samples)
        self._is_prompted = isinstance(teacher, OpenAITeacher | HuggingFaceTeacher)
        shown = getattr(teacher, "examples_per_label", 0)
        self._task = ChatTask(spec.labels, spec.instruction, shown)

    @cached_property
    def calls(self) -> Interval:
        """Questions that have no answer yet; of a local teacher, which has to be loaded to tell,
        all or none."""
        if self.cached is None:
            return Interval(0, self._rows, self._rows)
        return Interval(
            self._rows - self.cached.high,
            self._rows - self.cached.expected,
            self._rows - self.cached.low,
        )

    @cached_property
    def cached(self) -> Interval | None:
        if not isinstance(self._teacher, OpenAITeacher):
            return None
        total = NOTHING
        for sample in self._samples:
            share = share_of(
                self._stored(self._teacher, sample), len(sample.texts), rows=sample.rows
            )
            total += scaled(share, sample.rows)
        return total

    @cached_property
    def tokens(self) -> Interval:
        return self.calls * self._tokens_a_call()

    @cached_property
    def usd(self) -> Interval | None:
        if not isinstance(self._teacher, OpenAITeacher):
            return NOTHING
        if self._teacher.prices is None:
            return None
        prices = self._teacher.prices
        written = self.calls * self._answers() * OUTPUT
        paid = scaled(self.tokens, prices.input_usd_per_million / MILLION)
        return paid + scaled(written, prices.output_usd_per_million / MILLION)

    @cached_property
    def limit_seconds(self) -> Interval | None:
        teacher = self._teacher
        if not isinstance(teacher, OpenAITeacher):
            return None
        waits = []
        if teacher.requests_per_minute is not None:
            waits.append(scaled(self.calls, 60 / teacher.requests_per_minute))
        if teacher.tokens_per_minute is not None:
            waits.append(scaled(self.tokens, 60 / teacher.tokens_per_minute))
        return max(waits, key=lambda each: each.expected, default=None)

    def _answers(self) -> Interval:
        """Answers a text."""
        votes = 1
        if isinstance(self._teacher, OpenAITeacher) and self._teacher.confidence == "votes":
            votes = self._teacher.votes
        return Interval(votes, votes, votes)

    def _tokens_a_call(self) -> Interval:
        """Tokens read for one text, over all piles: each end of the range of tokenizers, widened
        by what the sample leaves open."""
        if isinstance(self._teacher, ProvidedTeacher) or not self._rows:
            return NOTHING
        total = NOTHING
        for sample in self._samples:
            counts = [self._count(text) for text in sample.texts]
            total += scaled(mean_of_three(counts, rows=sample.rows), sample.rows / self._rows)
        # Some servers draw all votes from one reading of the prompt.
        return total * Interval(1, 1, self._answers().high)

    def _count(self, text: str) -> tuple[float, float, float]:
        """Few tokens, the usual number, many."""
        if not self._is_prompted:
            few, usual, many = _tokens(text)
            return few + AROUND_TEXT, usual + AROUND_TEXT, many + AROUND_TEXT
        # Half a surrogate pair is never sent.
        readable = text.encode("utf-8", "replace").decode()
        told = self._prompt.messages(readable)
        counts = [_tokens(message["content"]) for message in told]
        few, usual, many = (
            sum(each[place] for each in counts) + len(told) * AROUND_MESSAGE[place]
            for place in range(3)
        )
        return few, usual, many

    @cached_property
    def _prompt(self) -> ChatPrompt:
        return ChatPrompt(self._task)

    def _stored(self, teacher: OpenAITeacher, sample: TextSample) -> int:
        """How many of the sample have an answer: of the ways in which the server may turn out
        to be asked, by the one with the most."""
        most = 0
        for rung, answers in possible_rungs(votes=teacher.votes):
            fingerprint = chat_fingerprint(
                self._task,
                base_url=str(teacher.base_url),
                model=str(teacher.model),
                rung=rung,
                answers=answers,
            )
            keys = [answer_key(fingerprint, Question(text)) for text in sample.texts]
            most = max(most, AnswerRepository(self._session).count(self._tenant, keys))
        return most


def _tokens(text: str) -> tuple[float, float, float]:
    size = len(text.encode("utf-8", "replace"))
    plain = sum(character < "\x80" for character in text)
    few, usual, many = (
        plain / ascii_bytes + (size - plain) / other_bytes
        for ascii_bytes, other_bytes in zip(ASCII_BYTES, OTHER_BYTES, strict=True)
    )
    return few, usual, many
