"""Texts that a model was unsure of, on their way to the database, which no request waits for."""

from collections.abc import Callable, Collection, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from threading import Condition, Thread

import numpy as np
import structlog
from prometheus_client import Counter

from app.predict.answered import Answered
from app.predict.names import DATABASE_FAULTS
from core.db.repositories.kept_texts import KeptReason, KeptTextRepository, UnsureText
from core.db.session import Database
from core.ids import ModelId

log = structlog.get_logger(__name__)

DROPPED = Counter("llkd_kept_texts_dropped", "Unsure texts that were not kept", ["reason"])

# Of one text: a teacher's prompt takes no more, and a few rows must not fill a disk.
MOST_CHARACTERS = 20_000
# Of all that wait: a few seconds of traffic of which every text is unsure.
ROOM_TEXTS = 2000
ROOM_CHARACTERS = 8 * 1024 * 1024
# Texts of so long are written together, and so long a process that is killed forgets.
FLUSH_SECONDS = 1.0

Store = Callable[[ModelId, Sequence[UnsureText]], None]


class TextKeeper:
    """A bounded buffer, and a thread that empties it. Safe to call from several threads.

    Args:
        store: writes texts of one model.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[ModelId, UnsureText]] = []
        self._characters = 0
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
        model = answered.model
        if model.keep_below is None:
            return
        best = answered.probabilities.argmax(axis=1)
        scores = answered.probabilities.max(axis=1)
        unsure = np.flatnonzero(scores < model.keep_below).tolist()
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
            self._put(model.id, UnsureText(text, label, score, reason))

    def close(self) -> None:
        """Write what waits, try nothing twice, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _put(self, model_id: ModelId, text: UnsureText) -> None:
        with self._changed:
            room = len(self._waiting) < ROOM_TEXTS and self._characters < ROOM_CHARACTERS
            if self._closed or not room:
                DROPPED.labels("no_room").inc()
                return
            self._waiting.append((model_id, text))
            self._characters += len(text.text)
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def _run(self) -> None:
        while waiting := self._take():
            waiting.sort(key=itemgetter(0))
            for model_id, group in groupby(waiting, key=itemgetter(0)):
                self._write(model_id, [text for _, text in group])

    def _take(self) -> list[tuple[ModelId, UnsureText]]:
        """All that waits, a moment after the first of it came; nothing once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            self._changed.wait_for(lambda: self._closed, timeout=FLUSH_SECONDS)
            taken, self._waiting, self._characters = self._waiting, [], 0
            return taken

    def _write(self, model_id: ModelId, texts: list[UnsureText]) -> None:
        try:
            self._store(model_id, texts)
        except DATABASE_FAULTS as error:
            log.warning("texts_not_kept_yet", model=model_id, error=type(error).__name__)
            for text in texts:
                # Behind what came meanwhile; the next turn tries again.
                self._put(model_id, text)
        except Exception as error:
            # Whatever went wrong belongs to these texts; the thread keeps the next ones. Not
            # the message, which would quote them.
            log.error("texts_not_kept", model=model_id, error=type(error).__name__)
            DROPPED.labels("error").inc(len(texts))


def make_keeper(database: Database) -> TextKeeper:
    """A keeper that writes to this database."""
    return TextKeeper(partial(_store, database))


def _store(database: Database, model_id: ModelId, texts: Sequence[UnsureText]) -> None:
    # Most of what is asked was asked before, or falls out of the lot: a question alone
    # takes no lock that a worker on SQLite would wait for.
    with database.read() as session:
        wanted = KeptTextRepository(session).wanted(model_id, texts)
    if wanted:
        with database.write() as session:
            KeptTextRepository(session).keep(model_id, wanted)
