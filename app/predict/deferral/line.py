"""A model's teacher on the line: its key opened, its connections kept, its answers priced."""

import asyncio
from dataclasses import replace
from functools import partial

from pydantic import SecretStr

from app.predict.deferral.posts import Posts, count_posts, counted
from app.predict.deferral.purse import Purse
from app.predict.deferral.sources import Source
from app.predict.deferral.wire import Wire
from core.calling.caller import PacedCaller
from core.calling.policy import CallPolicy
from core.egress.allow_list import AllowList
from core.egress.client import Caller
from core.egress.outcome import Reply
from core.egress.urls import Endpoint, parse_base_url
from core.logging import hide_in_logs
from core.prices import FREE, cost_micros
from core.secrets import SecretBox, Vault
from llkd.answer_keys import answer_key
from llkd.teachers.chat.probed import Probed
from llkd.teachers.chat.teacher import RE_ASKS, ChatTeacher
from llkd.types import Question, TeacherAnswer

# Somebody waits: one more try, and soon a fresh start for a server that was down.
ATTEMPTS = 2
FAILURES_TO_PARK = 5
STAY_AWAY_S = 30.0
# An answer that comes too late for whoever asked is still worth having, for so much longer.
PATIENCE = 3.0
# The estimate takes three bytes for a token; no tokenizer makes more than one of each.
_MOST_TOKENS_A_TOKEN = 3


class Line:
    """Made on any thread, used on one event loop.

    Args:
        deferral_s: what a request waits for its answers at the most.

    Raises:
        TeacherUrlForbidden: the operator does not list the server.
        SecretKeyMissing, SecretUnreadable: the key cannot be opened.
    """

    def __init__(
        self, source: Source, *, allow_list: AllowList, vault: Vault, deferral_s: float
    ) -> None:
        spec = source.teacher
        assert spec.base_url is not None, "a job's spec is complete"
        assert spec.model is not None, "a job's spec is complete"
        self.source = source
        # Calls in flight at the most; what waits here is not held from the budget yet.
        self.slots = asyncio.Semaphore(spec.concurrency)
        self.purse = Purse()
        self._timeout_s = min(spec.timeout_seconds, PATIENCE * deferral_s)
        self.longest_s = self._timeout_s + deferral_s
        key = _opened(source, vault)
        endpoint = parse_base_url(spec.base_url)
        root = Endpoint(endpoint.scheme, endpoint.host, endpoint.port)
        self._caller = Caller(root, allow_list, key=key, max_connections=spec.concurrency)
        self._policy = CallPolicy(
            concurrency=spec.concurrency,
            requests_per_minute=spec.requests_per_minute,
            tokens_per_minute=spec.tokens_per_minute,
            timeout_s=self._timeout_s,
            attempts=ATTEMPTS,
            park_after_failures=FAILURES_TO_PARK,
            park_after_quiet_s=max(60.0, self._timeout_s),
            longest_wait_s=deferral_s,
            stay_away_s=STAY_AWAY_S,
        )
        self._prices = spec.prices or FREE
        self._users = 0
        self._is_put_aside = False
        self._closing: asyncio.Task[None] | None = None
        self._teacher = ChatTeacher(
            source.task,
            base_url=str(endpoint),
            model=spec.model,
            probed=Probed.from_json(source.known),
            call=Wire(self._paced, path=endpoint.path, key=key),
        )
        self._fingerprint = self._teacher.fingerprint

    def key(self, question: Question) -> str:
        """By what its answer is stored, in training as here."""
        return answer_key(self._fingerprint, question)

    def most_micros(self, question: Question) -> int:
        """What every attempt of every time it is asked can cost together."""
        return ATTEMPTS * (1 + RE_ASKS) * self._micros_a_try(question)

    def micros_of(self, question: Question, posts: Posts) -> int:
        """The most that requests can have cost which brought no answer."""
        return min(posts.maybe_billed * self._micros_a_try(question), self.most_micros(question))

    async def ask(self, question: Question, posts: Posts) -> TeacherAnswer:
        """Answer it, with its price.

        Args:
            posts: counts the requests meanwhile.

        Raises:
            Park: the server is being left alone.
        """
        count_posts(posts)
        answer = await self._teacher.ask(question)
        # It notes every name that a server gives itself, and a line stays open for days.
        self._teacher.names_said.clear()
        cost = cost_micros(
            self._prices, input_tokens=answer.tokens_in, output_tokens=answer.tokens_out
        )
        return replace(answer, cost_micros=cost, model=answer.model or self._teacher.model)

    def begin(self) -> None:
        """Somebody uses it, until `end`."""
        self._users += 1

    def end(self) -> None:
        self._users -= 1
        self._close_if_unused()

    def put_aside(self) -> None:
        """Close it as soon as nobody uses it; nobody will begin to."""
        self._is_put_aside = True
        self._close_if_unused()

    async def close(self) -> None:
        """Close its connections now; nothing may be asked any more."""
        await self._caller.aclose()

    def _close_if_unused(self) -> None:
        if self._is_put_aside and not self._users and self._closing is None:
            self._closing = asyncio.create_task(self._caller.aclose())

    def _paced(self) -> PacedCaller:
        return PacedCaller(self._post, self._policy)

    async def _post(self, path: str, body: bytes) -> Reply:
        return await counted(partial(self._caller.post, path, body, timeout_s=self._timeout_s))

    def _micros_a_try(self, question: Question) -> int:
        return cost_micros(
            self._prices,
            input_tokens=_MOST_TOKENS_A_TOKEN * self._teacher.estimate_tokens(question),
            output_tokens=self._teacher.max_output_tokens,
        )


def _opened(source: Source, vault: Vault) -> SecretStr | None:
    if source.sealed_key is None:
        return None
    key = vault.open(SecretBox.from_json(source.sealed_key), owner=source.key_owner)
    hide_in_logs(key.get_secret_value())
    return key
