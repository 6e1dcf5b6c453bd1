from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from llkd.tokens import TextReader, TokenRows


@pytest.fixture
def reader(models_dir: Path) -> TextReader:
    return TextReader(models_dir / "tiny", max_length=8)


class TestRead:
    def test_rows_are_as_long_as_their_texts(self, reader: TextReader) -> None:
        rows = reader.read(["word1", "word1 word2 word3"])
        assert [len(row) for row in rows.ids] == [3, 5]
        assert rows.count == 8

    def test_a_cut_row_keeps_its_last_special_token(self, reader: TextReader) -> None:
        rows = reader.read(["word1 " * 30])
        assert len(rows.ids[0]) == 8
        assert rows.ids[0][-1] == 3
        assert rows.truncated.tolist() == [True]

    def test_the_saved_tokenizer_reads_alike(self, reader: TextReader, tmp_path: Path) -> None:
        reader.save(tmp_path)
        saved = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        texts = ["", "word1 refund", "word1 " * 30]
        assert [saved.encode(text).ids for text in texts] == reader.read(texts).ids


class TestBatches:
    @given(
        lengths=st.lists(st.integers(1, 50), max_size=60),
        padded_tokens=st.integers(1, 200),
    )
    def test_each_row_comes_once_and_no_batch_is_too_large(
        self, lengths: list[int], padded_tokens: int
    ) -> None:
        rows = TokenRows([[0] * length for length in lengths], np.zeros(len(lengths), np.bool_))
        batches = list(rows.batches(padded_tokens=padded_tokens))
        assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
        for batch in batches:
            longest = max(lengths[index] for index in batch)
            assert len(batch) == 1 or len(batch) * longest <= padded_tokens

    def test_the_longest_come_first(self) -> None:
        rows = TokenRows([[0], [0] * 9, [0] * 4], np.zeros(3, np.bool_))
        assert [batch.tolist() for batch in rows.batches(padded_tokens=9)] == [[1], [2, 0]]
