"""Texts that a model was unsure of, on their way to the database, which no request waits for."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from threading import Condition, Thread

import numpy as np
import structlog
from prometheus_client import Counter

from app.predict.answered import Answered
from app.predict.lot import Lot
from app.predict.names import DATABASE_FAULTS
from core.db.repositories.kept_texts import (
    Keeping,
    KeptReason,
    KeptTextRepository,
    UnsureText,
    digest_of,
)
from core.db.session import Database

log = structlog.get_logger(__name__)

DROPPED = Counter("llkd_kept_texts_dropped", "Unsure texts that were not kept", ["reason"])

# Of one text: a teacher's prompt takes no more, and a few rows must not fill a disk.
MOST_CHARACTERS = 20_000
# Of all that wait: a few seconds of traffic of which every text is unsure.
ROOM_TEXTS = 2000
ROOM_CHARACTERS = 8 * 1024 * 1024
# Texts of so long are written together, and so long a process that is killed forgets.
FLUSH_SECONDS = 1.0

Store = Callable[[Keeping, Sequence[UnsureText]], None]


class TextKeeper:
    """A bounded buffer, and a thread that empties it. Safe to call from several threads.

    Of more texts than there is room for, those with the lowest digests wait, as those stay in
    the database: neither their order nor their requests decide.

    Args:
        store: writes texts of one keeping.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: dict[Keeping, Lot] = {}
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="text-keeper", daemon=True)
        self._thread.start()

    def offer(
        self, answered: Answered, texts: Sequence[str], *, deferred: Collection[int] = ()
    ) -> None:
        """Take the texts whose best score is below what the model's keeping says, if it has one.

        Neither waits nor fails: what there is no room for is dropped and counted.

        Args:
            deferred: places of the texts that were passed on to the teacher: taken as well.
        """
        keeping = answered.model.keeping
        if keeping is None:
            return
        best = answered.probabilities.argmax(axis=1)
        scores = answered.probabilities.max(axis=1)
        unsure = np.flatnonzero(scores < keeping.below).tolist()
        found: dict[str, UnsureText] = {}
        for index in sorted({*unsure, *deferred}):
            text = texts[index]
            if not text.strip() or "\0" in text:
                # Nothing to learn from, and nothing that every database stores.
                continue
            if len(text) > MOST_CHARACTERS:
                DROPPED.labels("too_long").inc()
                continue
            label, score = answered.labels[best[index]], float(scores[index])
            reason = KeptReason.DEFERRED if index in deferred else KeptReason.LOW_CONFIDENCE
            digest = digest_of(keeping.model_id, text)
            found.setdefault(digest, UnsureText(text, label, score, reason))
        self._put(keeping, found)

    def close(self) -> None:
        """Write what waits, try nothing twice, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _put(self, keeping: Keeping, texts: Mapping[str, UnsureText]) -> None:
        """Take texts by their digests, as many as there is room for."""
        if not texts:
            return
        with self._changed:
            if self._closed:
                DROPPED.labels("no_room").inc(len(texts))
                return
            if not self._waiting:
                self._changed.notify_all()
            most = min(keeping.max_rows, ROOM_TEXTS)
            lot = self._waiting.setdefault(keeping, Lot(most))
            gone = sum(lot.add(digest, text) for digest, text in texts.items())
            # What is over the model's own cap falls out of the lot, here or in the database.
            dropped = gone if most < keeping.max_rows else 0
            DROPPED.labels("no_room").inc(dropped + self._make_room())

    def _make_room(self) -> int:
        """Let go of the highest digests of all that wait; returns how many."""
        lots = self._waiting.values()
        count, characters = sum(map(len, lots)), sum(lot.characters for lot in lots)
        gone = 0
        while count - gone > ROOM_TEXTS or characters > ROOM_CHARACTERS:
            fullest = max((lot for lot in lots if lot), key=lambda lot: lot.highest)
            before = fullest.characters
            fullest.drop_highest()
            characters -= before - fullest.characters
            gone += 1
        return gone

    def _run(self) -> None:
        while waiting := self._take():
            for keeping, lot in waiting.items():
                self._write(keeping, list(lot))

    def _take(self) -> dict[Keeping, Lot]:
        """All that waits, a moment after the first of it came; nothing once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(lambda: self._closed, timeout=FLUSH_SECONDS)
            taken, self._waiting = self._waiting, {}
            return taken

    def _write(self, keeping: Keeping, texts: list[UnsureText]) -> None:
        try:
            self._store(keeping, texts)
        except DATABASE_FAULTS as error:
            log.warning("texts_not_kept_yet", model=keeping.model_id, error=type(error).__name__)
            # Beside what came meanwhile; the next turn tries again.
            self._put(keeping, {digest_of(keeping.model_id, text.text): text for text in texts})
        except Exception as error:
            # Whatever went wrong belongs to these texts; the thread keeps the next ones. Not
            # the message, which would quote them.
            log.error("texts_not_kept", model=keeping.model_id, error=type(error).__name__)
            DROPPED.labels("error").inc(len(texts))


def make_keeper(database: Database) -> TextKeeper:
    """A keeper that writes to this database."""
    return TextKeeper(partial(_store, database))


def _store(database: Database, keeping: Keeping, texts: Sequence[UnsureText]) -> None:
    # Most of what is asked was asked before, or falls out of the lot: a question alone
    # takes no lock that a worker on SQLite would wait for.
    with database.read() as session:
        wanted = KeptTextRepository(session).wanted(keeping, texts)
    if wanted:
        with database.write() as session:
            KeptTextRepository(session).keep(keeping, wanted)
