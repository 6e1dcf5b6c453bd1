"""A teacher behind a chat server: asks about one text, and understands the reply."""

from collections.abc import Sequence

from llkd.teachers.chat.calling import Call, Failure
from llkd.teachers.chat.decks import order_by_deck
from llkd.teachers.chat.exchange import Exchange, estimate_tokens
from llkd.teachers.chat.fingerprint import chat_fingerprint
from llkd.teachers.chat.matching import Options
from llkd.teachers.chat.probed import Probed
from llkd.teachers.chat.prompt import ChatPrompt
from llkd.teachers.chat.reading import Choice, choices_of
from llkd.teachers.chat.refusals import status_of
from llkd.teachers.chat.rungs.base import MALFORMED, Rung
from llkd.teachers.chat.rungs.logprobs import TokenLogprobs, TopLogprobs
from llkd.teachers.chat.rungs.text import PlainText
from llkd.teachers.chat.task import ChatTask
from llkd.teachers.readable import is_readable
from llkd.types import AnswerStatus, Question, TeacherAnswer

# A malformed answer is asked for this often again, at a temperature of 1. That is no less
# true an answer: a label without a confidence is still one of the model's own, and listed
# probabilities do not depend on the temperature, only which text is drawn. Votes are not
# asked for again, since a lost vote is part of what they measure.
RE_ASKS = 2
_RE_ASK_TEMPERATURE = 1.0


class ChatTeacher:
    """Asks one question at a time; how many at once, for how much and when is the caller's.

    Attributes:
        names_said: the names under which the server answered, in the order in which they
            first came. More than one means that the model was changed behind its name.
    """

    def __init__(
        self, task: ChatTask, *, base_url: str, model: str, probed: Probed, call: Call
    ) -> None:
        self.names_said: list[str] = []
        self._task = task
        self._base_url = base_url
        self._model = model
        self._rung = probed.rung
        self._dialect = probed.dialect
        self._call = call
        self._prompt = ChatPrompt(task, probed.rung.format)
        self._plain_prompt = ChatPrompt(task, PlainText.format)

    @property
    def fingerprint(self) -> str:
        """Of all that decides an answer."""
        return chat_fingerprint(
            self._task,
            base_url=self._base_url,
            model=self._model,
            rung=self._rung.name,
            answers=self._rung.answers,
        )

    @property
    def model(self) -> str:
        return self._model

    @property
    def rung(self) -> str:
        """The way in which it asks; a single answer may say another one."""
        return self._rung.name

    @property
    def max_output_tokens(self) -> int:
        """Tokens that the answers to one text may take, if none is asked for again."""
        return self._dialect.most_tokens(self._rung.most_tokens) * self._rung.answers

    def estimate_tokens(self, question: Question) -> int:
        """About how many tokens one question takes, in and out, if it is not asked again.

        Three UTF-8 bytes count as a token, which is too many rather than too few for most
        languages; see `BYTES_PER_TOKEN`. Votes count as if each were a request of its own.
        """
        if not is_readable(question.text):
            return 0
        told = estimate_tokens(self._prompt.messages(question.text))
        return told * self._rung.answers + self.max_output_tokens

    def order_by_deck(self, questions: Sequence[Question]) -> list[Question]:
        """The questions in an order in which a server's prompt cache is of most use."""
        return order_by_deck(questions, count=len(self._prompt.decks))

    async def ask(self, question: Question) -> TeacherAnswer:
        """Answer a question; a bad one, or a bad reply, gets a status, never an exception.

        Whatever the call raises, such as a server that no longer answers anyone, is raised.
        """
        if not is_readable(question.text):
            return MALFORMED
        exchange = Exchange(self._call, self._model, self._dialect)
        answer = await self._answer(exchange, question.text)
        if exchange.model_said is not None and exchange.model_said not in self.names_said:
            self.names_said.append(exchange.model_said)
        return exchange.settled(answer, rung=self._rung)

    async def _answer(self, exchange: Exchange, text: str) -> TeacherAnswer:
        answer = await self._asked(exchange, self._prompt, self._rung, text)
        if isinstance(answer, TeacherAnswer):
            return answer
        if answer.kind == "permanent" and isinstance(self._rung, TokenLogprobs | TopLogprobs):
            # Some servers answer 500 where a probability came out as NaN, which JSON has no
            # word for. Without probabilities they can answer that text, too.
            answer = await self._asked(exchange, self._plain_prompt, PlainText(), text)
            if isinstance(answer, TeacherAnswer):
                return answer
        return _failed(answer)

    async def _asked(
        self, exchange: Exchange, prompt: ChatPrompt, rung: Rung, text: str
    ) -> TeacherAnswer | Failure:
        """Ask in one way, again while the answer is malformed."""
        options = prompt.options(text)
        temperature = rung.temperature
        answer = MALFORMED
        for _ in range(1 if rung.answers > 1 else 1 + RE_ASKS):
            choices = await _drawn(
                exchange, prompt, rung, text=text, options=options, temperature=temperature
            )
            if isinstance(choices, Failure):
                return choices
            answer = rung.read(choices, options)
            if answer.status is not AnswerStatus.MALFORMED:
                break
            temperature = _RE_ASK_TEMPERATURE
        return answer


async def _drawn(
    exchange: Exchange,
    prompt: ChatPrompt,
    rung: Rung,
    *,
    text: str,
    options: Options,
    temperature: float,
) -> list[Choice] | Failure:
    """As many choices as the rung reads together, by as many requests at the most.

    One request that fails fails them all: shares of fewer answers would pass for the same.
    """
    choices: list[Choice] = []
    for _ in range(rung.answers):
        called = await exchange.ask(
            prompt.messages(text),
            rung.fields(options),
            answer_tokens=rung.most_tokens,
            temperature=temperature,
        )
        if called.failure is not None:
            return called.failure
        # A reply without any answer counts as one that says nothing.
        choices += choices_of(called.reply or {}) or (Choice(""),)
        if len(choices) >= rung.answers:
            break
    return choices


def _failed(failure: Failure) -> TeacherAnswer:
    is_about_text = failure.kind == "bad_request"
    return TeacherAnswer(status_of(failure.body) if is_about_text else AnswerStatus.FAILED)
