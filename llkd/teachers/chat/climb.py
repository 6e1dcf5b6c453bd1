"""What does each step of the ladder take to be believed?"""

from collections.abc import Callable

from llkd.teachers.chat.calling import Call
from llkd.teachers.chat.rungs.base import Rung
from llkd.teachers.chat.rungs.constrained import (
    GuidedChoice,
    JsonMode,
    JsonSchema,
    choice_fields,
    label_in,
    schema_fields,
)
from llkd.teachers.chat.rungs.logprobs import MOST_TOKEN_IDS, TokenLogprobs, TopLogprobs
from llkd.teachers.chat.rungs.text import PlainText
from llkd.teachers.chat.rungs.verbalised import Verbalised
from llkd.teachers.chat.rungs.votes import Votes
from llkd.teachers.chat.task import ChatTask
from llkd.teachers.chat.token_ids import find_token_ids
from llkd.teachers.chat.trial import Trial, has_confidence, names_a_label
from llkd.types import Json

# No model says this by itself: one that may say nothing else, and does, was forced to.
FORCED = "zqx7"


class Climb:
    """The steps of the ladder; each returns a rung that holds, or None."""

    def __init__(self, call: Call, *, model: str, task: ChatTask, votes: int) -> None:
        self.trial = Trial(call, model=model, task=task)
        self._votes = votes
        self._task = task

    async def logprobs(self) -> Rung | None:
        """Probabilities of the labels, exact ones if possible."""
        listed = await self.trial.tried(TopLogprobs(), has_confidence)
        if listed is None:
            return None
        # Only a server that lists the likeliest tokens may know how to compute given ones.
        return await self._exact() or listed

    async def constrained(self) -> Rung | None:
        """A label that the server forces."""
        if await self._forces(GuidedChoice(), choice_fields([FORCED]), str.strip):
            return GuidedChoice()
        if await self._forces(JsonSchema(), schema_fields([FORCED]), label_in):
            return JsonSchema()
        return await self.trial.tried(JsonMode(), names_a_label)

    async def votes(self) -> Rung | None:
        """Several answers, all by one request if the server can."""
        trial, text = self.trial, self.trial.texts[0]
        at_once, singly = Votes(self._votes, at_once=True), Votes(self._votes, at_once=False)
        choices = await trial.asked(at_once, text)
        if isinstance(choices, str):
            # A server that refuses to give several may give one.
            return await trial.tried(singly, names_a_label)
        rung = at_once if len(choices) >= self._votes else singly
        return trial.judged(rung, choices, names_a_label, text=text)

    async def verbalised(self) -> Rung | None:
        """A label, and how sure the model says it is."""
        return await self.trial.tried(Verbalised(), names_a_label)

    async def plain(self) -> Rung | None:
        """A label in plain text."""
        return await self.trial.tried(PlainText(), names_a_label)

    async def _exact(self) -> Rung | None:
        trial = self.trial
        if len(self._task.labels) > MOST_TOKEN_IDS:
            return trial.note(TokenLogprobs({}), f"more than {MOST_TOKEN_IDS} labels")
        codes = trial.prompt(TokenLogprobs.format).decks[0].codes
        ids = await find_token_ids(trial.exchange.call, model=trial.exchange.model, codes=codes)
        if ids is None:
            return trial.note(TokenLogprobs({}), "the server names no one token for each code")
        return await trial.tried(TokenLogprobs(ids), has_confidence)

    async def _forces(
        self, rung: Rung, fields: Json, said_in: Callable[[str], str | None]
    ) -> Rung | None:
        """The rung, if by its means the server can be made to say what no model would."""
        messages = self.trial.prompt(rung.format).messages(self.trial.texts[0])
        choices = await self.trial.choices(messages, fields, rung)
        if isinstance(choices, str):
            return self.trial.note(rung, choices)
        held = bool(choices) and said_in(choices[0].text) == FORCED
        return self.trial.note(rung, None if held else "the server does not enforce it")
