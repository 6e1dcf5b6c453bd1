"""Passing texts on to the teacher of a model: what predict calls, and nothing else of it."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from functools import partial

import structlog

from app.predict.deferral.clerks import Clerks
from app.predict.deferral.dispatch import Dispatch
from app.predict.deferral.figures import SECONDS, TEXTS
from app.predict.deferral.flight import Flight
from app.predict.deferral.ledger import Ledger
from app.predict.deferral.line import Line
from app.predict.deferral.lines import Lines
from app.predict.deferral.outcome import DeferralStatus, Deferred
from app.predict.names import DATABASE_FAULTS
from core.db.session import Database
from core.egress.allow_list import AllowList
from core.errors import ServiceError
from core.ids import ModelId, TenantId
from core.secrets import Vault
from core.texts import normalized
from llkd.types import Question

log = structlog.get_logger(__name__)


class Deferral:
    """The teachers of this process's models. Used on one event loop; it opens nothing by itself.

    Args:
        seconds: what one request waits at the most, for all its texts together.
    """

    def __init__(
        self, database: Database, *, allow_list: AllowList, vault: Vault, seconds: float
    ) -> None:
        self._ledger = Ledger(database, allow_list)
        self._clerks = Clerks()
        self._dispatch = Dispatch(self._ledger, self._clerks)
        self._lines = Lines(partial(Line, allow_list=allow_list, vault=vault, deferral_s=seconds))
        self._seconds = seconds

    async def check(self, tenant: TenantId, model_id: ModelId) -> None:
        """Whether the model's teacher may be asked at all; before any text is classified.

        Raises:
            NotFound, Gone: there is no such model, or no more.
            DeferralOff: nobody has given it a budget.
            TeacherNotAskable: it is no teacher server, or not one that can still be asked.
            TeacherUrlForbidden: the operator does not list its server.
        """
        await self._clerks.run(partial(self._ledger.source, tenant, model_id))

    async def answer(
        self, tenant: TenantId, model_id: ModelId, texts: Sequence[str]
    ) -> list[Deferred]:
        """What the model's teacher says of these texts, in order, within `seconds`.

        It raises nothing for what a server or the database does: each text has a status.
        """
        begun = time.monotonic()
        deadline = asyncio.get_running_loop().time() + self._seconds
        # As datasets keep texts, so that what was answered in training is found.
        cleaned = [normalized(text) for text in texts]
        asked = [text for text in dict.fromkeys(cleaned) if text]
        outcomes: dict[str, Deferred] = {"": Deferred(DeferralStatus.BLANK)}
        if asked:
            outcomes |= await self._answers(tenant, model_id, asked, deadline=deadline)
        told = [outcomes[text] for text in cleaned]
        for status, count in Counter(each.status for each in told).items():
            TEXTS.labels(status.value).inc(count)
        SECONDS.observe(time.monotonic() - begun)
        return told

    async def close(self) -> None:
        """Take no more texts, settle what is under way, and hang up."""
        await self._dispatch.close()
        await self._lines.close()
        self._clerks.close()

    async def _answers(
        self, tenant: TenantId, model_id: ModelId, texts: Sequence[str], *, deadline: float
    ) -> dict[str, Deferred]:
        try:
            async with asyncio.timeout_at(deadline):
                ask = partial(self._ledger.source, tenant, model_id)
                source, caps_given = await self._clerks.run(ask)
                line = await self._lines.open(source)
        except TimeoutError:
            return dict.fromkeys(texts, Deferred(DeferralStatus.TIMEOUT))
        except (ServiceError, *DATABASE_FAULTS) as error:
            # It was in order when it was checked, a moment ago.
            code = error.code if isinstance(error, ServiceError) else type(error).__name__
            log.warning("deferral_unavailable", model=model_id, error=code)
            return dict.fromkeys(texts, Deferred(DeferralStatus.FAILED))
        line.purse.under_caps_of(caps_given)
        flights = self._dispatch.board(line, [Question(text) for text in texts])
        await _wait([flight for flight in flights if flight is not None], deadline=deadline)
        return {text: _outcome(flight) for text, flight in zip(texts, flights, strict=True)}


async def _wait(flights: Sequence[Flight], *, deadline: float) -> None:
    """Until all have landed, or the time is over; then this request is out of them."""
    try:
        if flights:
            left = max(0.0, deadline - asyncio.get_running_loop().time())
            await asyncio.wait({flight.outcome for flight in flights}, timeout=left)
    finally:
        for flight in flights:
            flight.leave()


def _outcome(flight: Flight | None) -> Deferred:
    if flight is None:
        return Deferred(DeferralStatus.BUSY)
    return flight.outcome.result() if flight.outcome.done() else Deferred(DeferralStatus.TIMEOUT)
