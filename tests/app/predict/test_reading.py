"""What is tokenized on the event loop: little, whether little is few texts or short ones."""

import pytest

from app.predict.batcher import Batcher
from app.predict.reading import INLINE_CHARACTERS, INLINE_TEXTS, Reader


class TestSmall:
    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            (["x" * INLINE_CHARACTERS], True),
            (["x" * INLINE_CHARACTERS, "x"], False),
            ([""] * INLINE_TEXTS, True),
            # Ten thousand of them would hold the loop for a sixth of a second.
            ([""] * (INLINE_TEXTS + 1), False),
        ],
    )
    def test_few_and_short_texts_are(self, texts: list[str], expected: bool) -> None:
        assert Reader(Batcher(threads=0)).is_small(texts) is expected
