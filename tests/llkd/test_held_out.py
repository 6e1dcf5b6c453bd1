"""A slice is kept from training: confident pseudo-labels, or gold where there is enough."""

from dataclasses import replace

import numpy as np
import pytest

from llkd.held_out import find_held_out, split_held_out
from tests.llkd.tiny_bert import make_pool


class TestGold:
    def test_enough_of_it_is_held_out_with_its_labels(self) -> None:
        pool = make_pool(6000)
        gold = (pool.labels + 1) % 3
        gold[:3000] = -1
        trained, held = split_held_out(replace(pool, gold=gold), seed=1)
        assert held is not None
        assert (len(held), len(trained)) == (600, 5400)
        places = find_held_out(replace(pool, gold=gold), seed=1)
        assert places.min() >= 3000
        assert held.labels.tolist() == gold[places].tolist()

    @pytest.mark.parametrize(("size", "known"), [(6000, 499), (4900, 4900), (6000, 0)])
    def test_less_of_it_is_not_looked_at(self, size: int, known: int) -> None:
        pool = make_pool(size)
        gold = np.where(np.arange(size) < known, (pool.labels + 1) % 3, -1)
        assert find_held_out(replace(pool, gold=gold), seed=1).tolist() == (
            find_held_out(pool, seed=1).tolist()
        )
        _, held = split_held_out(replace(pool, gold=gold), seed=1)
        assert held is not None
        assert held.labels.tolist() == pool.labels[find_held_out(pool, seed=1)].tolist()

    def test_no_more_than_a_thousand(self) -> None:
        pool = make_pool(20_000)
        assert len(find_held_out(replace(pool, gold=pool.labels), seed=1)) == 1000


class TestWhatAPersonHasLabelled:
    """It is trained on, and no student is held against it."""

    def test_it_is_never_held_out(self) -> None:
        pool = make_pool(2000)
        before = find_held_out(pool, seed=1)
        corrected = np.isin(np.arange(2000), before[::2])
        asked = replace(
            pool, corrected=corrected, confidence=np.where(corrected, 1.0, pool.confidence)
        )
        trained, held = split_held_out(asked, seed=1)
        assert held is not None
        assert held.is_teachers.all()
        assert (~trained.is_teachers).sum() == corrected.sum()

    def test_nor_is_its_gold(self) -> None:
        pool = make_pool(6000)
        corrected = np.arange(6000) < 3000
        asked = replace(pool, gold=pool.labels, corrected=corrected)
        held = find_held_out(asked, seed=1)
        assert len(held) == 600
        assert held.min() >= 3000

    def test_where_nobody_did_the_slice_is_as_it_was(self) -> None:
        pool = make_pool(2000)
        none = replace(pool, corrected=np.zeros(2000, dtype=np.bool_))
        assert find_held_out(none, seed=1).tolist() == find_held_out(pool, seed=1).tolist()
