"""Labels become a tree in which what they share is read once."""

import numpy as np
import pytest

from llkd.teachers.causal_lm.label_trie import make_trie

END = 9


class TestMakeTrie:
    def test_shared_beginnings_are_read_once_and_ends_never(self):
        trie = make_trie([[5, END], [5, 6, END], [7, END]])
        assert trie.tokens.tolist() == [5, 6, 7]
        assert trie.depths.tolist() == [0, 1, 0]

    def test_each_step_asks_where_its_token_is_foretold(self):
        trie = make_trie([[5, END], [5, 6, END], [7, END]])
        steps = zip(trie.label.tolist(), trie.row.tolist(), trie.token.tolist(), strict=True)
        assert list(steps) == [
            (0, 0, 5),
            (0, 1, END),
            (1, 0, 5),
            (1, 1, 6),
            (1, 2, END),
            (2, 0, 7),
            (2, 3, END),
        ]

    def test_a_token_sees_itself_and_its_ancestors_alone(self):
        trie = make_trie([[5, 6, END], [5, 7, END], [8, END]])
        assert trie.tokens.tolist() == [5, 6, 7, 8]
        assert np.array_equal(
            trie.sees,
            np.array([[1, 0, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]], dtype=bool),
        )

    def test_branches_lead_from_the_top_to_every_end(self):
        trie = make_trie([[5, 6, END], [5, 7, 9, END], [8, END], [4]])
        read = [trie.tokens[branch].tolist() for branch in trie.branches]
        assert read == [[5, 6], [5, 7, 9], [8]]

    def test_the_same_token_below_other_parents_is_another(self):
        assert make_trie([[5, 6, END], [6, 5, END]]).tokens.tolist() == [5, 6, 6, 5]

    def test_labels_of_one_token_without_an_end_need_no_reading(self):
        trie = make_trie([[5], [6]])
        assert len(trie) == 0
        assert trie.row.tolist() == [0, 0]
        assert trie.label_count == 2

    def test_a_label_without_tokens_is_refused(self):
        with pytest.raises(ValueError, match="label 1"):
            make_trie([[5], []])
