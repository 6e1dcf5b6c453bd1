"""Several threads that classify texts with one predictor, always in the same pieces."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from types import TracebackType
from typing import Self

import numpy as np

from llkd.predictor import Predictor
from llkd.types import Classified

# Enough to batch by length, few enough that a stop is heard and progress told in a second.
TEXTS_A_TURN = 64


class Crew:
    """Answers texts in turns on `threads` threads.

    How the texts are cut into turns depends on them alone, never on the threads: a text's
    neighbours move its probabilities in their last bits, and a worker with more cores has
    to write the same bytes.
    """

    def __init__(self, predictor: Predictor, *, threads: int) -> None:
        self._predictor = predictor
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="predict")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    def classify(self, texts: Sequence[str], *, told: Callable[[int], None]) -> Classified:
        """Answer N texts, in order.

        Args:
            told: called after each turn with how many of them are answered; what it raises
                leaves the turns that have not begun undone.
        """
        turns = turns_of(texts)
        probabilities = np.zeros((len(texts), len(self._predictor.labels)))
        truncated = np.zeros(len(texts), dtype=np.bool_)
        begun = {
            self._threads.submit(self._predictor.classify, [texts[place] for place in turn]): turn
            for turn in turns
        }
        tokens = done = 0
        try:
            for future in as_completed(begun):
                turn, answered = begun[future], future.result()
                probabilities[turn], truncated[turn] = answered.probabilities, answered.truncated
                tokens += answered.tokens
                done += len(turn)
                told(done)
        finally:
            for future in begun:
                future.cancel()
        return Classified(probabilities=probabilities, truncated=truncated, tokens=tokens)


def turns_of(texts: Sequence[str]) -> list[list[int]]:
    """The places of the texts, each once, in turns of texts of about one length."""
    places = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    return [places[first : first + TEXTS_A_TURN] for first in range(0, len(places), TEXTS_A_TURN)]
