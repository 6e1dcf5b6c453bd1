"""What deferral reads and writes: sources, stored answers, and what was paid for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.predict.deferral.errors import AT_PREDICT
from app.predict.deferral.outcome import DeferralStatus, Deferred
from app.predict.deferral.sources import Source, find_source, require_switched_on
from core.db.repositories.answers import AnswerRepository
from core.db.repositories.deferrals import DeferralRepository, Hold
from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from core.egress.allow_list import AllowList
from core.ids import ModelId, TenantId
from llkd.specs import label_key
from llkd.types import AnswerStatus, TeacherAnswer

# What a teacher's answer is called here, unless it was there before.
_STATUSES = {
    AnswerStatus.ANSWERED: DeferralStatus.ANSWERED,
    AnswerStatus.REFUSED: DeferralStatus.REFUSED,
    AnswerStatus.MALFORMED: DeferralStatus.MALFORMED,
    AnswerStatus.TOO_LONG: DeferralStatus.TOO_LONG,
    AnswerStatus.FAILED: DeferralStatus.FAILED,
}


class Ledger:
    """Each method is one transaction, and waits for the database: not for the event loop.

    What fails is not tried again: a settlement whose commit is in doubt may have happened, and
    a hold that is left is spent by itself.
    """

    def __init__(self, database: Database, allow_list: AllowList) -> None:
        self._database = database
        self._allow_list = allow_list

    def source(self, tenant: TenantId, model_id: ModelId) -> tuple[Source, datetime]:
        """The model's teacher, and when its caps were given.

        Raises:
            DeferralOff: it may not be asked; beside what `find_source` raises.
        """
        with self._database.read() as session:
            source = find_source(session, tenant, model_id, self._allow_list, place=AT_PREDICT)
            caps_given = require_switched_on(session, tenant, model_id)
        return source, caps_given

    def find(self, source: Source, keys: Sequence[str]) -> Mapping[str, Deferred]:
        """What is known already; keys without an answer are left out."""
        with self._database.read() as session:
            rows = AnswerRepository(session).find(source.tenant, keys, job_id=None)
        places = {label_key(name): place for place, name in enumerate(source.label_names)}
        return {key: _read(row, places) for key, row in rows.items()}

    def hold(self, source: Source, *, micros: int, seconds: float) -> Hold | None:
        """As `DeferralRepository.hold`."""
        with self._database.write() as session:
            return DeferralRepository(session).hold(
                source.tenant, source.model_id, micros=micros, seconds=seconds
            )

    def keep(self, source: Source, key: str, answer: TeacherAnswer, hold: Hold) -> None:
        """Store an answer, and settle what was held for it."""
        with self._database.write() as session:
            DeferralRepository(session).settle(hold, micros=answer.cost_micros)
            AnswerRepository(session).store(source.tenant, [_row(source, key, answer)])

    def charge(self, hold: Hold, *, micros: int) -> None:
        """Count a call as spent that brought no answer and may be billed."""
        with self._database.write() as session:
            DeferralRepository(session).settle(hold, micros=micros)

    def release(self, hold: Hold) -> None:
        """Free what was held for a call that cost nothing."""
        with self._database.write() as session:
            DeferralRepository(session).release(hold)


def tell(answer: TeacherAnswer) -> Deferred:
    """What was answered just now."""
    return Deferred(
        _STATUSES[answer.status],
        label=answer.label,
        probabilities=answer.probabilities,
        model=answer.model,
    )


def _read(row: TeacherAnswerRow, places: Mapping[str, int]) -> Deferred:
    status = _STATUSES[AnswerStatus(row.status)]
    return Deferred(
        DeferralStatus.CACHED if status is DeferralStatus.ANSWERED else status,
        label=None if row.label is None else places[label_key(row.label)],
        probabilities=None if row.probabilities is None else tuple(row.probabilities),
        model=row.model,
    )


def _row(source: Source, key: str, answer: TeacherAnswer) -> TeacherAnswerRow:
    return TeacherAnswerRow(
        key=key,
        status=answer.status.value,
        label=None if answer.label is None else source.label_names[answer.label],
        probabilities=None if answer.probabilities is None else list(answer.probabilities),
        confidence=answer.confidence,
        confidence_source=answer.confidence_source.value,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        cost_micros=answer.cost_micros,
        model=answer.model,
        rung=answer.rung,
        label_mass=answer.label_mass,
        job_id=source.job_id,
    )
