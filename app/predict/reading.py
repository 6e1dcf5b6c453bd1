"""Texts become windows of tokens: a few on the event loop, many in pieces beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio
import anyio.to_thread

from app.predict.batcher import Batcher
from app.predict.lanes import Work
from llkd.long_texts import LongTexts
from llkd.predictor import Predictor
from llkd.predictor_tokens import Tokens

# A tokenizer reads some 3000 characters a millisecond: so long may the loop stand still. A
# trip to a thread and back costs about two texts of a line. Nor may it for texts that have
# hardly any: each costs some 15 microseconds by itself.
INLINE_CHARACTERS = 4000
INLINE_TEXTS = 64
# Texts or characters a trip: a few milliseconds, between which other requests have theirs.
PIECE_TEXTS = 64
PIECE_CHARACTERS = 20_000
# Tokenizing is the smaller part of the work; the cores are the batches'.
READERS = 2


@dataclass
class Reading:
    """How N texts were read, so far.

    Attributes:
        windows: how many of each text.
        truncated: whether a part of the text was not read.
        tokens: over all windows.
    """

    windows: list[int] = field(default_factory=list)
    truncated: list[bool] = field(default_factory=list)
    tokens: int = 0

    def add(self, of_text: Sequence[Tokens]) -> None:
        self.windows.append(len(of_text))
        self.truncated.append(of_text[0].truncated)
        self.tokens += sum(map(len, of_text))


class Reader:
    """Tokenizes requests and queues what it read. Its threads take turns piece by piece."""

    def __init__(self, batcher: Batcher) -> None:
        self._batcher = batcher
        self._places = anyio.CapacityLimiter(READERS)

    def is_small(self, texts: Sequence[str]) -> bool:
        """Whether `read_now` may read them on the event loop."""
        return len(texts) <= INLINE_TEXTS and sum(map(len, texts)) <= INLINE_CHARACTERS

    def read_now(
        self, predictor: Predictor, work: Work, texts: Sequence[str], long_texts: LongTexts
    ) -> Reading:
        """Read all texts, at least one, and queue them."""
        reading = Reading()
        self._batcher.add_last(work, _read(predictor, texts, long_texts, reading))
        return reading

    async def read_beside(
        self, predictor: Predictor, work: Work, texts: Sequence[str], long_texts: LongTexts
    ) -> Reading:
        """Read all texts, at least one, on threads; what is read is answered meanwhile."""
        reading = Reading()
        *pieces, last = _pieces(texts)
        for piece in pieces:
            self._batcher.add(work, await self._read(predictor, piece, long_texts, reading))
        self._batcher.add_last(work, await self._read(predictor, last, long_texts, reading))
        return reading

    async def _read(
        self, predictor: Predictor, texts: Sequence[str], long_texts: LongTexts, reading: Reading
    ) -> list[Tokens]:
        return await anyio.to_thread.run_sync(
            _read, predictor, texts, long_texts, reading, limiter=self._places
        )


def _read(
    predictor: Predictor, texts: Sequence[str], long_texts: LongTexts, reading: Reading
) -> list[Tokens]:
    windows: list[Tokens] = []
    for text in texts:
        of_text = predictor.read_windows(text, long_texts=long_texts)
        reading.add(of_text)
        windows.extend(of_text)
    return windows


def _pieces(texts: Sequence[str]) -> list[Sequence[str]]:
    pieces: list[list[str]] = [[]]
    size = 0
    for text in texts:
        if pieces[-1] and (len(pieces[-1]) == PIECE_TEXTS or size + len(text) > PIECE_CHARACTERS):
            pieces.append([])
            size = 0
        pieces[-1].append(text)
        size += len(text)
    return list(pieces)
