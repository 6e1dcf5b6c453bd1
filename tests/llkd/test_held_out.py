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
