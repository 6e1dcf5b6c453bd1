"""What a model's teacher may still be asked at prediction: caps, and what is spent and held.

Any number of API processes spend under one cap, so it is compared where it is changed: in
one UPDATE of one row. A process has no lease here. What is held has an end instead, one for the
row, that each new call moves on: the first call after it counts what is still held as spent,
since a call in flight when its process died may have been billed. Under traffic without a pause
that call may never come; what the dead process held then goes on counting as held. A cap binds
what is spent and held together, so either way it has the same room.
"""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, and_, case, delete, literal, or_, select, update
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories.inserts import insert_for
from core.db.tables import ModelDeferralRow
from core.ids import ModelId, TenantId

# What is written here is never what a session remembers: rows are read anew.
FRESH = {"synchronize_session": False, "populate_existing": True}


@dataclass(frozen=True)
class Hold:
    """One call that may be made.

    Attributes:
        micros: the most it may cost, in millionths of a US dollar.
        under: the fence of the row at that time.
    """

    model_id: ModelId
    micros: int
    under: str


class DeferralRepository:
    """Each method runs in the caller's transaction."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def get(self, tenant_id: TenantId, model_id: ModelId) -> ModelDeferralRow | None:
        return self.session.scalar(
            select(ModelDeferralRow).where(_is(tenant_id, model_id)),
            execution_options={"populate_existing": True},
        )

    def switch_on(
        self,
        tenant_id: TenantId,
        model_id: ModelId,
        *,
        cap_micros: int | None,
        cap_calls: int | None,
    ) -> None:
        """Give the model these caps; what it has spent and holds already stays.

        The caller has made sure that the model is this tenant's.
        """
        caps = {"cap_micros": cap_micros, "cap_calls": cap_calls}
        insert = insert_for(self.session, ModelDeferralRow).values(
            model_id=model_id, tenant_id=tenant_id, held_under=_new_fence(), **caps
        )
        self.session.execute(
            insert.on_conflict_do_update(
                index_elements=["model_id"], set_={**caps, "updated_at": db_now()}
            )
        )

    def switch_off(self, tenant_id: TenantId, model_id: ModelId) -> bool:
        """Forget caps and spending; False when there were none."""
        gone = self.session.scalar(
            delete(ModelDeferralRow)
            .where(_is(tenant_id, model_id))
            .returning(ModelDeferralRow.model_id),
            execution_options=FRESH,
        )
        return gone is not None

    def hold(
        self, tenant_id: TenantId, model_id: ModelId, *, micros: int, seconds: float
    ) -> Hold | None:
        """Hold one call before it is made; None when a cap would be passed, or there is no row.

        Args:
            micros: the most it can cost.
            seconds: after which it is settled, or its process is gone.
        """
        over = ModelDeferralRow.held_until < db_now()
        until = db_now(seconds)
        under: str | None = self.session.scalar(
            update(ModelDeferralRow)
            .where(_is(tenant_id, model_id), _has_room(micros))
            .values(
                # What is over and still held has nobody left who could settle it.
                spent_micros=ModelDeferralRow.spent_micros
                + case((over, ModelDeferralRow.held_micros), else_=0),
                spent_calls=ModelDeferralRow.spent_calls
                + case((over, ModelDeferralRow.held_calls), else_=0),
                held_micros=case((over, 0), else_=ModelDeferralRow.held_micros) + micros,
                held_calls=case((over, 0), else_=ModelDeferralRow.held_calls) + 1,
                held_under=case((over, literal(_new_fence())), else_=ModelDeferralRow.held_under),
                held_until=case(
                    (ModelDeferralRow.held_until > until, ModelDeferralRow.held_until), else_=until
                ),
            )
            .returning(ModelDeferralRow.held_under),
            execution_options=FRESH,
        )
        return None if under is None else Hold(model_id, micros, under)

    def settle(self, hold: Hold, *, micros: int) -> bool:
        """Turn a held call into a spent one, in the transaction that stores its answer.

        Returns:
            False when it was counted as spent already, or the row is another one by now: the
            answer, being paid, is to be stored all the same.
        """
        spent = {
            "spent_micros": ModelDeferralRow.spent_micros + micros,
            "spent_calls": ModelDeferralRow.spent_calls + 1,
        }
        return self._end(hold, spent)

    def release(self, hold: Hold) -> bool:
        """Free what was held for a call that cost nothing; False as in `settle`."""
        return self._end(hold, {})

    def _end(self, hold: Hold, spent: dict[str, Any]) -> bool:
        touched = self.session.scalar(
            update(ModelDeferralRow)
            .where(
                ModelDeferralRow.model_id == hold.model_id,
                ModelDeferralRow.held_under == hold.under,
            )
            .values(
                held_micros=ModelDeferralRow.held_micros - hold.micros,
                held_calls=ModelDeferralRow.held_calls - 1,
                **spent,
            )
            .returning(ModelDeferralRow.model_id),
            execution_options=FRESH,
        )
        return touched is not None


def _has_room(micros: int) -> ColumnElement[bool]:
    """Whether both caps leave room for one call more; a cap of NULL always does."""
    row = ModelDeferralRow
    return and_(
        or_(row.cap_calls.is_(None), row.spent_calls + row.held_calls + 1 <= row.cap_calls),
        or_(
            row.cap_micros.is_(None),
            row.spent_micros + row.held_micros + micros <= row.cap_micros,
        ),
    )


def _is(tenant_id: TenantId, model_id: ModelId) -> ColumnElement[bool]:
    return and_(ModelDeferralRow.model_id == model_id, ModelDeferralRow.tenant_id == tenant_id)


def _new_fence() -> str:
    return uuid4().hex
