"""Texts that a model was unsure of: kept where its tenant asked for it, up to a cap."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core.db.repositories.inserts import insert_for
from core.db.repositories.pages import Page, read_page
from core.db.tables import KeptTextRow, TextKeepingRow
from core.ids import ModelId, TenantId
from core.texts import normalized

TEXTS_AT_ONCE = 500


class KeptReason(StrEnum):
    """Why a text was kept."""

    LOW_CONFIDENCE = "low_confidence"
    DEFERRED = "deferred"


@dataclass(frozen=True)
class UnsureText:
    """A text as it was asked about, and what the model made of it.

    Attributes:
        label: the model's best one.
        score: its probability, in [0, 1].
    """

    text: str
    label: str
    score: float
    reason: KeptReason


@dataclass(frozen=True)
class Keeping:
    """That a model's unsure texts are kept, as somebody read it.

    Attributes:
        below: texts whose best score is less are kept.
        max_rows: so many of them.
        since: when it was switched on. What is switched on again is another keeping, and what
            was asked under the one before is not kept.
    """

    model_id: ModelId
    below: float
    max_rows: int
    since: datetime

    @classmethod
    def of(cls, row: TextKeepingRow) -> Self:
        return cls(row.model_id, below=row.below, max_rows=row.max_rows, since=row.since)


class KeptTextRepository:
    """Each method runs in the caller's transaction.

    A model's kept texts are, of all different ones that were offered, those with the lowest
    digests: a fair lot among them, whenever and however often each came, and whichever
    process it came to. Nothing needs to be counted for it, and a text that fell out stays out.
    Source: bottom-k sampling, Cohen & Kaplan (2007).
    """

    def __init__(self, session: Session) -> None:
        self.session = session

    def keeping(self, tenant_id: TenantId, model_id: ModelId) -> TextKeepingRow | None:
        """Which texts of the model are kept; None when none are."""
        return self.session.scalar(
            select(TextKeepingRow).where(
                TextKeepingRow.model_id == model_id, TextKeepingRow.tenant_id == tenant_id
            )
        )

    def switch_on(
        self, tenant_id: TenantId, model_id: ModelId, *, below: float, max_rows: int
    ) -> TextKeepingRow:
        """Keep texts from now on, or change which; what is over a lower cap goes at once.

        The caller holds the model's row, so that it is not being deleted.
        """
        chosen = {"below": below, "max_rows": max_rows}
        insert = insert_for(self.session, TextKeepingRow).values(
            model_id=model_id, tenant_id=tenant_id, **chosen
        )
        self.session.execute(insert.on_conflict_do_update(index_elements=["model_id"], set_=chosen))
        self._cut(model_id, max_rows=max_rows)
        keeping = self.keeping(tenant_id, model_id)
        assert keeping is not None, "it was just written"
        return keeping

    def switch_off(self, tenant_id: TenantId, model_id: ModelId) -> None:
        """Keep none from now on, and delete those that were; also part of deleting a model."""
        # Held first: whoever is about to add texts waits, and then finds that none are kept.
        if self._held(model_id, tenant_id=tenant_id) is None:
            return
        self.session.execute(delete(KeptTextRow).where(KeptTextRow.model_id == model_id))
        self.session.execute(delete(TextKeepingRow).where(TextKeepingRow.model_id == model_id))

    def wanted(self, under: Keeping, texts: Sequence[UnsureText]) -> list[UnsureText]:
        """Those that `keep` would add if nobody else does; blocks no one who writes."""
        model_id = under.model_id
        keeping = self.session.get(TextKeepingRow, model_id)
        if keeping is None or keeping.since != under.since:
            return []
        by_digest = _by_digest(model_id, texts)
        known = self.session.scalars(
            select(KeptTextRow.digest).where(
                KeptTextRow.model_id == model_id, KeptTextRow.digest.in_(by_digest)
            )
        )
        for digest in known:
            del by_digest[digest]
        count, highest = self.session.execute(
            select(func.count(), func.max(KeptTextRow.digest)).where(
                KeptTextRow.model_id == model_id
            )
        ).one()
        is_full = count >= keeping.max_rows
        return [
            text for digest, text in by_digest.items() if not is_full or str(digest) < str(highest)
        ]

    def keep(self, under: Keeping, texts: Sequence[UnsureText]) -> None:
        """Add the texts that are not there, and let go of what is over the cap.

        Processes that do so at once for one model wait for each other. Nothing is added when
        the keeping was switched off meanwhile, even if another one is on by now; changed
        meanwhile, it is the same one, and its present cap holds.
        """
        model_id = under.model_id
        keeping = self._held(model_id)
        if keeping is None or keeping.since != under.since:
            return
        insert = insert_for(self.session, KeptTextRow).on_conflict_do_nothing()
        values = [
            asdict(text) | {"model_id": model_id, "digest": digest, "tenant_id": keeping.tenant_id}
            for digest, text in _by_digest(model_id, texts).items()
        ]
        if values:
            self.session.execute(insert, values)
            self._cut(model_id, max_rows=keeping.max_rows)

    def count(self, model_id: ModelId) -> Mapping[KeptReason, int]:
        """How many texts are kept, by reason."""
        rows = self.session.execute(
            select(KeptTextRow.reason, func.count())
            .where(KeptTextRow.model_id == model_id)
            .group_by(KeptTextRow.reason)
        )
        found = {KeptReason(reason): count for reason, count in rows}
        return {reason: found.get(reason, 0) for reason in KeptReason}

    def page(self, model_id: ModelId, *, limit: int, after: str | None = None) -> Page[KeptTextRow]:
        """Kept texts in the order of their digests, which is a lot's."""
        question = select(KeptTextRow).where(KeptTextRow.model_id == model_id)
        if after is not None:
            question = question.where(KeptTextRow.digest > after)
        return read_page(self.session, question.order_by(KeptTextRow.digest), limit=limit)

    def texts(self, model_id: ModelId) -> Iterator[str]:
        """All kept texts alone, in the order of `page`, not all of them in memory at once."""
        yield from self.session.scalars(
            select(KeptTextRow.text)
            .where(KeptTextRow.model_id == model_id)
            .order_by(KeptTextRow.digest),
            execution_options={"yield_per": TEXTS_AT_ONCE},
        )

    def _held(
        self, model_id: ModelId, *, tenant_id: TenantId | None = None
    ) -> TextKeepingRow | None:
        question = select(TextKeepingRow).where(TextKeepingRow.model_id == model_id)
        if tenant_id is not None:
            question = question.where(TextKeepingRow.tenant_id == tenant_id)
        return self.session.scalar(
            question.with_for_update(), execution_options={"populate_existing": True}
        )

    def _cut(self, model_id: ModelId, *, max_rows: int) -> None:
        over = (
            select(KeptTextRow.digest)
            .where(KeptTextRow.model_id == model_id)
            .order_by(KeptTextRow.digest)
            .offset(max_rows)
        )
        self.session.execute(
            delete(KeptTextRow).where(
                KeptTextRow.model_id == model_id, KeptTextRow.digest.in_(over)
            ),
            execution_options={"synchronize_session": False},
        )


def digest_of(model_id: ModelId, text: str) -> str:
    """What a model's texts are told apart by, and their place in the lot; in hexadecimal."""
    # With the model: a text that no model keeps of many would be missing in all of them.
    return hashlib.sha256(f"{model_id}\n{normalized(text)}".encode()).hexdigest()


def _by_digest(model_id: ModelId, texts: Sequence[UnsureText]) -> dict[str, UnsureText]:
    """The texts by what they are told apart by; of equal ones the first."""
    found: dict[str, UnsureText] = {}
    for text in texts:
        found.setdefault(digest_of(model_id, text.text), text)
    return found
