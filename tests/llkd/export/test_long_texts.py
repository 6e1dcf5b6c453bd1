"""Which tokens are read of a text longer than the window: exact ids, and none left out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from llkd.long_texts import MOST_WINDOWS, head_and_tail, leaves_gaps, window_starts
from llkd.predictor import Predictor, mean_of_windows
from llkd.predictor_tokens import TokenReader
from tests.llkd.tiny_bert import write_tiny_bert

MAX_LENGTH = 10
ROOM = MAX_LENGTH - 2
WORDS = [f"word{number % 30}" for number in range(50)]


@pytest.fixture(scope="module")
def tokenizer_file(tmp_path_factory):
    return write_tiny_bert(tmp_path_factory.mktemp("bert")) / "tokenizer.json"


@pytest.fixture(scope="module")
def reader(tokenizer_file):
    return TokenReader.from_file(tokenizer_file, max_length=MAX_LENGTH, pad_id=0)


@pytest.fixture(scope="module")
def ids(tokenizer_file):
    """Word to its id, special ones included."""
    return Tokenizer.from_file(str(tokenizer_file)).get_vocab()


class TestReadWindows:
    def test_a_short_text_is_read_the_same_in_all_ways(self, reader):
        text = " ".join(WORDS[:ROOM])
        for long_texts in ("head", "head_tail", "sliding_mean"):
            (tokens,) = reader.read_windows(text, long_texts=long_texts)
            assert tokens == reader.read(text)
            assert not tokens.truncated

    def test_head_is_what_training_reads(self, reader, ids):
        (tokens,) = reader.read_windows(" ".join(WORDS), long_texts="head")
        body = [ids[word] for word in WORDS[:ROOM]]
        assert tokens.ids == (ids["[CLS]"], *body, ids["[SEP]"])
        assert tokens.truncated

    def test_head_and_tail_are_the_two_ends(self, reader, ids):
        (tokens,) = reader.read_windows(" ".join(WORDS), long_texts="head_tail")
        body = [ids[word] for word in WORDS[:4] + WORDS[-4:]]
        assert tokens.ids == (ids["[CLS]"], *body, ids["[SEP]"])
        assert tokens.truncated

    def test_sliding_windows_are_those_of_the_tokenizers_own_stride(self, reader, tokenizer_file):
        # 48 = 8 + 10 * 4 tokens: the last window ends with the text by itself.
        text = " ".join(WORDS[:48])
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_LENGTH, stride=ROOM // 2)
        encoding = tokenizer.encode(text)
        expected = [tuple(part.ids) for part in (encoding, *encoding.overflowing)]
        windows = reader.read_windows(text, long_texts="sliding_mean")
        assert [tokens.ids for tokens in windows] == expected
        assert not any(tokens.truncated for tokens in windows)

    def test_the_last_window_ends_with_the_text(self, reader, ids):
        windows = reader.read_windows(" ".join(WORDS[:11]), long_texts="sliding_mean")
        last = [ids[word] for word in WORDS[3:11]]
        assert windows[-1].ids == (ids["[CLS]"], *last, ids["[SEP]"])
        assert len(windows) == 2

    def test_a_very_long_text_is_read_in_a_bounded_number_of_windows(self, reader):
        windows = reader.read_windows("word1 " * 5000, long_texts="sliding_mean")
        assert len(windows) == MOST_WINDOWS
        # 64 windows of 8 leave most of 5000 tokens unread.
        assert all(tokens.truncated for tokens in windows)

    def test_characters_alone_do_not_make_a_text_long(self, reader):
        text = "word1" + " " * 10_000 + "word2"
        assert reader.read(text).truncated
        for long_texts in ("head_tail", "sliding_mean"):
            (tokens,) = reader.read_windows(text, long_texts=long_texts)
            assert tokens.ids == reader.read("word1 word2").ids
            assert not tokens.truncated


class TestWindowStarts:
    @given(st.integers(0, 5000), st.integers(1, 300))
    def test_every_token_is_read_unless_it_says_otherwise(self, count, room):
        starts = window_starts(count, room=room)
        assert starts[0] == 0
        assert 1 <= len(starts) <= MOST_WINDOWS
        assert starts == sorted(set(starts))
        assert starts[-1] == max(0, count - room)
        seen = np.zeros(count, dtype=np.bool_)
        for start in starts:
            seen[start : start + room] = True
        assert leaves_gaps(starts, room=room) == (not seen.all())

    def test_windows_overlap_by_half(self):
        assert window_starts(20, room=8) == [0, 4, 8, 12]
        assert window_starts(21, room=8) == [0, 4, 8, 12, 13]

    def test_the_larger_half_is_the_head(self):
        assert head_and_tail(list(range(20)), room=5) == [0, 1, 2, 18, 19]


class TestMeanOfWindows:
    def test_windows_of_a_text_count_the_same(self):
        rows = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.2, 0.8]])
        assert mean_of_windows(rows, [1, 2, 1]).tolist() == [[1.0, 0.0], [0.25, 0.75], [0.2, 0.8]]


class TestClassify:
    def test_a_text_gets_the_mean_of_its_windows(self, exported):
        predictor = Predictor.load(exported.files)
        texts = ["refund " * 40 + "crash " * 60, "refund"]
        answers = predictor.classify(texts, long_texts="sliding_mean")
        windows = predictor.read_windows(texts[0], long_texts="sliding_mean")
        alone = np.vstack([predictor.answer([tokens]) for tokens in windows])
        assert len(windows) > 2
        assert answers.probabilities[0] == pytest.approx(alone.mean(axis=0), abs=1e-5)
        assert answers.truncated.tolist() == [False, False]
        assert answers.tokens == sum(map(len, windows)) + 3
        assert predictor.classify(texts).truncated.tolist() == [True, False]
