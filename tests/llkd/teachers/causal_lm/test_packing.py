"""Texts lie side by side and do not see each other."""

import numpy as np
import pytest

from llkd.teachers.causal_lm.label_trie import make_trie
from llkd.teachers.causal_lm.packing import lay_out, split_by_budget

TRIE = make_trie([[5, 9], [5, 6, 9], [7, 9]])  # reads 5, 6, 7


class TestLayOut:
    def test_each_text_is_followed_by_the_tree(self):
        pack = lay_out([[1, 2], [3]], TRIE, prefix=10)
        assert pack.tokens.tolist() == [1, 2, 5, 6, 7, 3, 5, 6, 7]

    def test_positions_go_on_from_the_prefix_in_every_text(self):
        pack = lay_out([[1, 2], [3]], TRIE, prefix=10)
        assert pack.positions.tolist() == [10, 11, 12, 13, 12, 10, 11, 12, 11]

    def test_labels_are_asked_for_after_the_text_and_after_each_token_of_the_tree(self):
        assert lay_out([[1, 2], [3]], TRIE, prefix=10).asked.tolist() == [1, 2, 3, 4, 5, 6, 7, 8]

    def test_a_token_sees_the_prefix_its_own_text_and_its_ancestors(self):
        sees = lay_out([[1, 2], [3]], TRIE, prefix=2).sees
        assert sees.shape == (9, 11)
        assert sees[:, :2].all()
        own = sees[:, 2:]
        assert np.array_equal(
            own[:5, :5],
            np.array(
                [
                    [1, 0, 0, 0, 0],
                    [1, 1, 0, 0, 0],
                    [1, 1, 1, 0, 0],
                    [1, 1, 1, 1, 0],
                    [1, 1, 0, 0, 1],
                ],
                dtype=bool,
            ),
        )
        assert not own[:5, 5:].any()
        assert not own[5:, :5].any()

    def test_without_a_tree_there_are_the_texts_alone(self):
        pack = lay_out([[1], [2, 3]], make_trie([[5], [6]]), prefix=1)
        assert pack.tokens.tolist() == [1, 2, 3]
        assert pack.asked.tolist() == [0, 2]


class TestSplitByBudget:
    @pytest.mark.parametrize(
        ("sizes", "packs"),
        [
            ([], []),
            ([4, 4, 4], [2, 1]),
            ([20, 1, 1], [1, 2]),
            ([1, 20, 1], [1, 1, 1]),
            ([10], [1]),
            ([5, 5, 1], [2, 1]),
        ],
    )
    def test_neighbours_fill_the_budget_and_one_too_large_stands_alone(self, sizes, packs):
        found = list(split_by_budget(sizes, budget=10))
        assert [len(sizes[pack]) for pack in found] == packs
        assert [size for pack in found for size in sizes[pack]] == sizes
