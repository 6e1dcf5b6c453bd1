"""A name's aliases and versions, changed by one transaction at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.orm import Session

from core.db.base import db_now
from core.db.repositories.models import LATEST
from core.db.tables import ModelAliasRow, ModelRow
from core.ids import ModelId, TenantId


@dataclass(frozen=True)
class Pointer:
    """An alias, and the version of the model that it points at."""

    alias: ModelAliasRow
    version: int


class ModelAliasRepository:
    """Each method runs in the caller's transaction.

    `latest` is the newest version of its name that is not deleted. It is made with the first
    version and never removed, so its row is what all that change a name's aliases hold: an
    alias is never left at a model that is deleted at the same moment, and no job begins to
    read one.
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def hold(self, tenant_id: TenantId, name: str) -> bool:
        """Keep others from changing this name's aliases, or deleting its models, until this
        transaction ends; False when no model ever had the name.

        A job may register the next version meanwhile, and waits only to move `latest` to it.
        """
        held = self.session.scalar(
            # FOR NO KEY UPDATE: readers and foreign keys need not wait for it.
            select(ModelAliasRow.alias)
            .where(_is(tenant_id, name, LATEST))
            .with_for_update(key_share=True)
        )
        return held is not None

    def get(self, tenant_id: TenantId, name: str, *, alias: str) -> Pointer | None:
        """What the alias points at now; nothing if its model is deleted."""
        found = self._pointers(_is(tenant_id, name, alias))
        return found[0] if found else None

    def of_name(self, tenant_id: TenantId, name: str) -> Sequence[Pointer]:
        """All aliases of a name, in alphabetical order; none once its models are deleted."""
        return self._pointers((ModelAliasRow.tenant_id == tenant_id) & (ModelAliasRow.name == name))

    def remove(self, tenant_id: TenantId, name: str, *, alias: str) -> None:
        """Take the alias away; hold the name first."""
        assert alias != LATEST, "its row is what holds the name"
        self.session.execute(
            delete(ModelAliasRow).where(_is(tenant_id, name, alias)),
            execution_options={"synchronize_session": False},
        )

    def delete_model(self, model: ModelRow) -> None:
        """Mark a model as deleted and move `latest` off it; hold its name first.

        With the last version of a name `latest` stays where it is: the name answers that
        it was deleted, until a job makes its next version.
        """
        self.session.execute(
            update(ModelRow).where(ModelRow.id == model.id).values(deleted_at=db_now()),
            execution_options={"synchronize_session": False},
        )
        newest = self._newest(model.tenant_id, model.name)
        if newest is None:
            return
        self.session.execute(
            update(ModelAliasRow)
            .where(
                _is(model.tenant_id, model.name, LATEST),
                ModelAliasRow.model_id == model.id,
            )
            .values(model_id=newest, moved_at=db_now()),
            execution_options={"synchronize_session": False},
        )

    def _newest(self, tenant_id: TenantId, name: str) -> ModelId | None:
        """The newest version of a name that is not deleted."""
        return self.session.scalar(
            select(ModelRow.id)
            .where(
                ModelRow.tenant_id == tenant_id,
                ModelRow.name == name,
                ModelRow.deleted_at.is_(None),
            )
            .order_by(ModelRow.version.desc())
            .limit(1)
        )

    def _pointers(self, which: ColumnElement[bool]) -> list[Pointer]:
        found = self.session.execute(
            select(ModelAliasRow, ModelRow.version)
            .join(ModelRow, ModelRow.id == ModelAliasRow.model_id)
            .where(which, ModelRow.deleted_at.is_(None))
            .order_by(ModelAliasRow.alias),
            execution_options={"populate_existing": True},
        )
        return [Pointer(alias, version) for alias, version in found]


def _is(tenant_id: TenantId, name: str, alias: str) -> ColumnElement[bool]:
    return (
        (ModelAliasRow.tenant_id == tenant_id)
        & (ModelAliasRow.name == name)
        & (ModelAliasRow.alias == alias)
    )
