"""A teacher server as a job asks it: reached safely, paced, probed once, priced."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Self

import structlog
from pydantic import SecretStr

from core.calling.breaker import UNAVAILABLE_S, Park
from core.calling.caller import PacedCaller
from core.calling.policy import CallPolicy
from core.egress.allow_list import AllowList
from core.egress.client import Caller
from core.egress.urls import Endpoint, parse_base_url
from core.prices import FREE, PricesPerMillion, cost_micros
from llkd.specs import OpenAITeacher
from llkd.teachers.chat.errors import TeacherSilent
from llkd.teachers.chat.ladder import probe
from llkd.teachers.chat.probed import Probed
from llkd.teachers.chat.task import ChatTask
from llkd.teachers.chat.teacher import RE_ASKS, ChatTeacher
from llkd.types import Json, Question, TeacherAnswer
from worker.asking.wire import Wire

log = structlog.get_logger(__name__)

# The estimate takes three bytes for a token; no tokenizer makes more than one of each.
_MOST_TOKENS_A_TOKEN = 3


class PricedChatTeacher:
    """A `RemoteTeacher`; made by `connect`, in the event loop in which it is used."""

    def __init__(
        self,
        teacher: ChatTeacher,
        *,
        caller: Caller,
        paced: PacedCaller,
        policy: CallPolicy,
        prices: PricesPerMillion,
        probed: Probed,
    ) -> None:
        self.teacher = teacher
        self.probed = probed
        self._caller = caller
        self._paced = paced
        self._policy = policy
        self._prices = prices

    @classmethod
    async def connect(
        cls,
        spec: OpenAITeacher,
        task: ChatTask,
        *,
        allow_list: AllowList,
        key: SecretStr | None,
        known: Json | None,
    ) -> Self:
        """Reach the server, and find the best way in which it answers.

        Args:
            spec: with its address and model; see `app.jobs.teacher_checks`.
            known: what an earlier attempt at this job found, so that no answer is bought twice
                because a server answers otherwise today.

        Raises:
            Park: the server cannot be asked for a while.
            RungUnavailable: it cannot answer as the spec's `confidence` says.
            ServiceError: the operator allows its address no longer.
        """
        assert spec.base_url is not None, "a job's spec is complete"
        assert spec.model is not None, "a job's spec is complete"
        endpoint = parse_base_url(spec.base_url)
        root = Endpoint(endpoint.scheme, endpoint.host, endpoint.port)
        caller = Caller(root, allow_list, key=key, max_connections=spec.concurrency)
        policy = CallPolicy(
            concurrency=spec.concurrency,
            requests_per_minute=spec.requests_per_minute,
            tokens_per_minute=spec.tokens_per_minute,
            timeout_s=spec.timeout_seconds,
            park_after_quiet_s=max(300.0, spec.timeout_seconds),
        )
        paced = PacedCaller(partial(caller.post, timeout_s=spec.timeout_seconds), policy)
        wire = Wire(paced, path=endpoint.path, key=key)
        try:
            probed = await _probed(wire, spec, task, known)
        except BaseException:
            await _hang_up(caller, paced)
            raise
        teacher = ChatTeacher(
            task, base_url=str(endpoint), model=spec.model, probed=probed, call=wire
        )
        return cls(
            teacher,
            caller=caller,
            paced=paced,
            policy=policy,
            prices=spec.prices or FREE,
            probed=probed,
        )

    @property
    def concurrency(self) -> int:
        return self._policy.concurrency

    def order(self, questions: Sequence[Question]) -> Sequence[int]:
        places = {id(question): place for place, question in enumerate(questions)}
        return [places[id(question)] for question in self.teacher.order_by_deck(questions)]

    def most_micros(self, question: Question) -> int:
        """What every attempt of every time it is asked can cost together."""
        tries = self._policy.attempts * (1 + RE_ASKS)
        return tries * cost_micros(
            self._prices,
            input_tokens=_MOST_TOKENS_A_TOKEN * self.teacher.estimate_tokens(question),
            output_tokens=self.teacher.max_output_tokens,
        )

    async def ask(self, question: Question) -> TeacherAnswer:
        answer = await self.teacher.ask(question)
        cost = cost_micros(
            self._prices, input_tokens=answer.tokens_in, output_tokens=answer.tokens_out
        )
        return replace(answer, cost_micros=cost)

    async def close(self) -> None:
        await _hang_up(self._caller, self._paced)


async def _hang_up(caller: Caller, paced: PacedCaller) -> None:
    """Close the connections, and tell the log how the calls went."""
    log.info("teacher_calls", **asdict(paced.figures))
    await caller.aclose()


async def _probed(wire: Wire, spec: OpenAITeacher, task: ChatTask, known: Json | None) -> Probed:
    if known is not None:
        return Probed.from_json(known)
    assert spec.model is not None, "a job's spec is complete"
    try:
        return await probe(
            wire, model=spec.model, task=task, confidence=spec.confidence, votes=spec.votes
        )
    except TeacherSilent as error:
        # It may answer later; so did the other servers that a job was parked for.
        raise Park("teacher-unavailable", str(error), after_s=UNAVAILABLE_S) from error
