"""The requests made for one question, and what they took together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from llkd.teachers.chat.calling import CHAT, Call, Called
from llkd.teachers.chat.dialect import Dialect
from llkd.teachers.chat.reading import model_of, usage_of
from llkd.teachers.chat.rungs.base import Rung
from llkd.types import Json, TeacherAnswer

Messages = Sequence[dict[str, str]]

# UTF-8 bytes a token. English has about 4, most other scripts 2 to 4 by today's
# tokenizers: an estimate is to be too high rather than too low, since money is held by it.
BYTES_PER_TOKEN = 3
# What a chat template puts around each message.
_TOKENS_AROUND = 8


@dataclass
class Exchange:
    """Sends requests and adds up what they took.

    Attributes:
        model: the name to ask for.
        tokens_in: as the server says; where it does not, and for requests that ran out of
            time and may have been billed, as estimated. So is `tokens_out`.
        model_said: the name under which the server last answered.
        calls: requests so far.
    """

    call: Call
    model: str
    dialect: Dialect
    tokens_in: int = 0
    tokens_out: int = 0
    model_said: str | None = None
    calls: int = 0

    async def ask(
        self,
        messages: Messages,
        fields: Json,
        *,
        answer_tokens: int,
        temperature: float = 0.0,
    ) -> Called:
        """Ask for a completion of these messages.

        Args:
            messages: the conversation so far.
            fields: what the request has beside model, messages, length and temperature.
            answer_tokens: what one answer may take.
            temperature: as in `Rung`.
        """
        body = self.dialect.body(
            {"model": self.model, "messages": list(messages), **fields},
            answer_tokens=answer_tokens,
            temperature=temperature,
        )
        tokens_in = estimate_tokens(messages)
        tokens_out = self.dialect.most_tokens(answer_tokens) * int(fields.get("n", 1))
        called = await self.call(CHAT, body, tokens=tokens_in + tokens_out)
        self._add(called, tokens_in=tokens_in, tokens_out=tokens_out)
        return called

    def settled(self, answer: TeacherAnswer, *, rung: Rung) -> TeacherAnswer:
        """The answer with what it took and who gave it."""
        return replace(
            answer,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            model=self.model_said,
            rung=answer.rung or rung.name,
        )

    def _add(self, called: Called, *, tokens_in: int, tokens_out: int) -> None:
        self.calls += 1
        self.tokens_in += called.timeouts * tokens_in
        self.tokens_out += called.timeouts * tokens_out
        if called.reply is None:
            return
        usage = usage_of(called.reply)
        self.tokens_in += tokens_in if usage.tokens_in is None else usage.tokens_in
        self.tokens_out += tokens_out if usage.tokens_out is None else usage.tokens_out
        self.model_said = model_of(called.reply) or self.model_said


def estimate_tokens(messages: Messages) -> int:
    """About how many tokens a conversation is, rounded up; see `BYTES_PER_TOKEN`."""
    size = sum(len(message["content"].encode()) for message in messages)
    return -(-size // BYTES_PER_TOKEN) + _TOKENS_AROUND * len(messages)
