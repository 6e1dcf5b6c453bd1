"""What a job may spend: held before a call, settled with the answer it brought."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from core.db.repositories.answers import AnswerRepository
from core.db.repositories.events import EventRepository
from core.db.repositories.jobs import JobRepository
from core.db.session import Database
from core.db.tables import JobRow, TeacherAnswerRow
from core.ids import TenantId
from core.lifecycle import EventType
from llkd.types import Json
from worker.asking.account import Account
from worker.asking.caps import has_caps, is_nearly_spent, room, tell_spending
from worker.durability import durably


@dataclass(frozen=True)
class Payment:
    """What is stored in one transaction: answers, and what they cost.

    Attributes:
        rows: the answers.
        held_micros: what was held for them together.
        spent_micros: what they cost.
        failures: for the job's log.
    """

    rows: Sequence[TeacherAnswerRow]
    held_micros: int = 0
    spent_micros: int = 0
    failures: Sequence[Json] = ()


class Purse:
    """The budget of one job, as one of its workers spends it.

    Used by one thread at a time. Spent and held together never pass a cap, because what a
    call may cost at the most is held before it is made; all workers hold on the job's row.
    """

    def __init__(self, database: Database, *, tenant_id: TenantId, account: Account) -> None:
        self._database = database
        self._tenant_id = tenant_id
        self._account = account
        # What the database says that we hold, as far as we know.
        self._held_calls = 0
        # Whether this attempt has seen that the caps are nearly spent, which ends looking.
        self._warned = False

    def turn_to(self, account: Account) -> None:
        """Spend from this account from now on; nothing is held between two."""
        assert not self._held_calls, "calls in flight belong to the account before"
        self._account = account

    def hold(self, micros: Sequence[int]) -> int:
        """Hold these calls, each with the most it can cost; returns how many of them, the first
        ones, the caps have room for.

        Raises:
            GhostWorker: the job, or the shard, is no longer this attempt's; do not call.
        """
        tried = False

        def act(session: Session) -> int:
            nonlocal tried
            job = self._locked(session)
            held = self._account.held_calls(session) if tried else 0
            if held > self._held_calls:
                # The commit came through although its connection broke.
                return held - self._held_calls
            tried = True
            calls = room(job, micros)
            if calls:
                self._account.reserve(session, calls=calls, micros=sum(micros[:calls]))
            return calls

        calls = durably(self._database, act)
        self._held_calls += calls
        return calls

    def pay(self, payment: Payment) -> None:
        """Store the answers and settle what was held for them.

        They are stored whoever holds the job by now: they are paid and valid.

        Raises:
            GhostWorker: the job, or the shard, is no longer this attempt's; the answers are
                stored.
        """
        calls = len(payment.rows)
        tried = warned = False

        def act(session: Session) -> bool:
            nonlocal tried, warned
            if tried and self._is_settled(session):
                return True
            tried = True
            ours = self._account.settle(
                session,
                calls=calls,
                held_micros=payment.held_micros,
                spent_micros=payment.spent_micros,
            )
            AnswerRepository(session).store(self._tenant_id, payment.rows)
            if ours:
                for failure in payment.failures:
                    EventRepository(session).append(
                        self._account.job.job_id, EventType.TEACHER_ROW_FAILED, failure
                    )
                warned = self._warned or self._warn(session)
            return ours

        if not durably(self._database, act):
            raise self._account.lost()
        self._held_calls -= calls
        self._warned = warned

    def release(self, *, calls: int, micros: int) -> None:
        """Give back what was held for calls that were never made."""
        tried = False

        def act(session: Session) -> None:
            nonlocal tried
            if tried and self._is_settled(session):
                return
            tried = True
            self._account.release_hold(session, calls=calls, micros=micros)

        if calls:
            durably(self._database, act)
            self._held_calls -= calls

    @property
    def holds_calls(self) -> bool:
        """Whether there are calls that are held and not settled yet."""
        return self._held_calls > 0

    def _warn(self, session: Session) -> bool:
        """Tell that a cap is nearly spent, with the payment that made it so, unless an earlier
        attempt did; returns whether it is."""
        if not has_caps(self._job(session)):
            return False
        job = self._locked(session)
        if not is_nearly_spent(job):
            return False
        events = EventRepository(session)
        if events.latest(job.id, EventType.BUDGET_WARNING) is None:
            events.append(job.id, EventType.BUDGET_WARNING, tell_spending(job))
        return True

    def _is_settled(self, session: Session) -> bool:
        """Whether a commit whose connection broke came through all the same."""
        ours = self._account.is_ours(session)
        return ours and self._account.held_calls(session) < self._held_calls

    def _locked(self, session: Session) -> JobRow:
        """The job, of which nobody else holds or spends until this transaction ends."""
        job = JobRepository(session).lock(self._tenant_id, self._account.job.job_id)
        assert job is not None, "jobs are never deleted"
        return job

    def _job(self, session: Session) -> JobRow:
        job = JobRepository(session).get(self._tenant_id, self._account.job.job_id)
        assert job is not None, "jobs are never deleted"
        return job
