"""Who is let in: those whose first batch comes soon, while what waits fits into memory."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from app.predict import metrics
from app.predict.batcher import Batcher
from app.predict.errors import Overloaded
from app.predict.lanes import Lane
from core.config import Settings
from llkd.predictor import MOST_ROWS, MOST_TOKENS

# Of ordinary prose; only what is not tokenized yet is reckoned by it.
CHARACTERS_A_TOKEN = 4
# What a text takes beside its characters until it is answered, however short it is: its tokens,
# its place in the queue and its row of scores.
BYTES_A_TEXT = 400


class Admission:
    """Refuses at once what would wait too long. Called on the event loop alone."""

    def __init__(self, settings: Settings, batcher: Batcher) -> None:
        self._batcher = batcher
        self._wait_seconds = settings.predict_wait_seconds
        self._most_bytes = settings.predict_backlog_bytes
        self._bytes = 0

    @contextmanager
    def admitted(self, lane: Lane | None, texts: Sequence[str]) -> Iterator[None]:
        """A place for these texts, from before they are tokenized until they are answered.

        Args:
            lane: where they will wait; None for a model that is not loaded.

        Raises:
            Overloaded: too much waits before them, or beside them.
        """
        self._refuse_wait(lane)
        # A request larger than the limit is served when it is alone.
        if self._bytes and self._bytes + _size(texts) > self._most_bytes:
            metrics.REFUSED.labels("backlog").inc()
            message = f"Texts of about {self._bytes} bytes wait already."
            raise Overloaded(message, retry_after_s=math.ceil(self._wait_seconds))
        with self.counted(texts):
            yield

    @contextmanager
    def counted(self, texts: Sequence[str]) -> Iterator[None]:
        """Count texts as being in memory; those that come meanwhile may be refused for them."""
        size = _size(texts)
        self._bytes += size
        try:
            yield
        finally:
            self._bytes -= size

    @contextmanager
    def promised(self, lane: Lane, texts: Sequence[str]) -> Iterator[None]:
        """Count texts as waiting while their model is loaded or they are tokenized."""
        counted = texts[:MOST_ROWS]
        tokens = sum(len(text) // CHARACTERS_A_TOKEN + 2 for text in counted)
        expected = float(min(tokens, MOST_TOKENS))
        self._batcher.promise(lane, expected)
        try:
            yield
        finally:
            self._batcher.promise(lane, -expected)

    def _refuse_wait(self, lane: Lane | None) -> None:
        ahead = self._batcher.ahead_seconds(lane, enough=self._wait_seconds)
        if ahead <= self._wait_seconds:
            return
        metrics.REFUSED.labels("wait").inc()
        message = f"A first batch waits {ahead:.1f} s; {self._wait_seconds:g} s are allowed."
        raise Overloaded(message, retry_after_s=math.ceil(ahead))


def _size(texts: Sequence[str]) -> int:
    """Bytes that texts take, about: characters, not their bytes, are free to ask for."""
    return sum(map(len, texts)) + BYTES_A_TEXT * len(texts)
