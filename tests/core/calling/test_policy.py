"""A policy outside its ranges is not made."""

import math
from typing import Any

import pytest

from core.calling.policy import CallPolicy


class TestAPolicy:
    @pytest.mark.parametrize(
        "figures",
        [
            {},
            {"concurrency": 1},
            {"concurrency": 512},
            {"requests_per_minute": 1, "tokens_per_minute": 1},
            {"attempts": 1, "retry_share": 0.0},
            {"timeout_s": 300.0},
            {"timeout_s": 600.0, "park_after_quiet_s": 600.0},
            {"longest_wait_s": 0.0},
            {"stay_away_s": 1.0},
        ],
    )
    def test_within_its_ranges_is_made(self, figures: dict[str, Any]) -> None:
        assert CallPolicy(**figures)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("concurrency", 0),
            ("concurrency", 513),
            ("requests_per_minute", 0),
            ("tokens_per_minute", -1),
            ("stay_away_s", 0.5),
            ("timeout_s", 0.5),
            ("timeout_s", math.nan),
            ("timeout_s", math.inf),
            ("attempts", 0),
            ("attempts", 4),
            ("retry_share", -0.01),
            ("retry_share", 0.11),
            ("park_after_failures", 0),
            ("park_after_quiet_s", 59.0),
            ("longest_wait_s", 3601.0),
        ],
    )
    def test_beyond_its_ranges_is_refused_by_name(self, name: str, value: float) -> None:
        figures: dict[str, Any] = {name: value}
        with pytest.raises(ValueError, match=name):
            CallPolicy(**figures)

    def test_an_attempt_that_takes_its_whole_time_is_no_outage(self) -> None:
        with pytest.raises(ValueError, match="park_after_quiet_s"):
            CallPolicy(timeout_s=301.0, park_after_quiet_s=300.0)
