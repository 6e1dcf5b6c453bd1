"""A text's answer is its own, whatever is asked beside it."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from app.predict.batcher import Batcher
from app.predict.lanes import Lane
from llkd.predictor import Predictor, mean_of_windows
from llkd.types import FloatArray
from tests.app.predict.test_batcher import Silent
from tests.llkd.conftest import models_dir, source
from tests.llkd.export.conftest import exported, trained
from tests.llkd.tiny_bert import make_pool

__all__ = ["exported", "models_dir", "source", "trained"]

MIXES = 200
TEXTS = 60


@pytest.fixture
def predictor(exported: object) -> Predictor:
    files: dict[str, Path] = exported.files  # type: ignore[attr-defined]
    return Predictor.load(files)


def test_two_hundred_random_mixes_move_no_answer(
    predictor: Predictor, record_property: pytest.FixtureRequest
) -> None:
    """Requests of 1 to 12 texts of all lengths, eight at a time, on two threads."""
    random = np.random.default_rng(4)
    texts = [
        " ".join([text] * int(random.integers(1, 12))) for text in make_pool(TEXTS, seed=9).texts
    ]
    alone = {text: predictor.classify([text], long_texts="sliding_mean") for text in texts}
    most = 0.0

    async def ask(batcher: Batcher, lane: Lane, chosen: list[str]) -> FloatArray:
        work = batcher.open(lane)
        read = [predictor.read_windows(text, long_texts="sliding_mean") for text in chosen]
        batcher.add_last(work, [tokens for of_text in read for tokens in of_text])
        await work.answer
        rows = np.stack([row for row in work.answers if row is not None])
        return mean_of_windows(rows, [len(of_text) for of_text in read])

    async def scenario() -> None:
        nonlocal most
        batcher = Batcher(threads=2)
        lane = Lane(Silent())
        lane.answer = predictor.answer
        for _ in range(MIXES // 8):
            mixes = [
                [texts[place] for place in random.integers(0, TEXTS, random.integers(1, 13))]
                for _ in range(8)
            ]
            answers = await asyncio.gather(*(ask(batcher, lane, mix) for mix in mixes))
            for mix, rows in zip(mixes, answers, strict=True):
                for text, row in zip(mix, rows, strict=True):
                    most = max(most, float(np.abs(row - alone[text].probabilities[0]).max()))
        await asyncio.to_thread(batcher.close)

    asyncio.run(scenario())
    record_property("figure", f"neighbours moved a probability by at most {most:.1e}")  # type: ignore[operator]
    assert most < 1e-5
