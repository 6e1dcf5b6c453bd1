import pytest

from llkd.wilson import wilson


class TestWilson:
    @pytest.mark.parametrize(
        ("successes", "rows", "low", "high"),
        [(15, 20, 0.5313, 0.8881), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0)],
    )
    def test_it_is_the_interval_of_the_textbooks(
        self, successes: int, rows: int, low: float, high: float
    ) -> None:
        assert wilson(successes, rows) == pytest.approx((low, high), abs=1e-3)
