"""Bounds of a binomial chance are the exact ones."""

import pytest

from llkd.binomial import at_least, at_most, exact_lower, exact_upper


class TestTails:
    def test_they_are_sums_of_the_distribution(self):
        assert at_most(1, trials=3, chance=0.5) == pytest.approx(4 / 8)
        assert at_least(1, trials=3, chance=0.5) == pytest.approx(7 / 8)
        assert at_most(2, trials=4, chance=0.1) + at_least(3, trials=4, chance=0.1) == (
            pytest.approx(1.0)
        )

    @pytest.mark.parametrize("trials", [1, 40, 20_000])
    def test_all_outcomes_together_are_certain(self, trials):
        assert at_most(trials, trials=trials, chance=0.93) == pytest.approx(1.0)
        assert at_least(0, trials=trials, chance=0.07) == pytest.approx(1.0)

    def test_a_chance_of_nothing_or_all_has_one_outcome(self):
        assert at_most(0, trials=9, chance=0.0) == at_least(9, trials=9, chance=1.0) == 1.0
        assert at_least(1, trials=9, chance=0.0) == at_most(8, trials=9, chance=1.0) == 0.0


class TestExactBounds:
    # Both ends of two-sided 95 % intervals of Clopper and Pearson, by R's binom.test.
    @pytest.mark.parametrize(
        ("successes", "trials", "lower", "upper"),
        [
            (0, 10, 0.0, 0.3084971),
            (1, 10, 0.002528579, 0.4450161),
            (5, 10, 0.1870860, 0.8129140),
            (10, 10, 0.6915029, 1.0),
            (95, 100, 0.8871651, 0.9835681),
        ],
    )
    def test_they_are_the_known_ones(self, successes, trials, lower, upper):
        assert exact_lower(successes, trials=trials, risk=0.025) == pytest.approx(lower, abs=1e-6)
        assert exact_upper(successes, trials=trials, risk=0.025) == pytest.approx(upper, abs=1e-6)

    def test_without_a_failure_there_is_a_formula(self):
        assert exact_lower(20, trials=20, risk=0.05) == pytest.approx(0.05 ** (1 / 20))

    def test_more_successes_and_more_risk_bring_a_higher_bound(self):
        bounds = [exact_lower(successes, trials=50, risk=0.05) for successes in range(51)]
        assert bounds == sorted(set(bounds))
        risks = [exact_lower(40, trials=50, risk=risk) for risk in (0.001, 0.01, 0.1, 0.4)]
        assert risks == sorted(set(risks))

    def test_the_bound_is_where_the_tail_is_the_risk(self):
        bound = exact_lower(1800, trials=2000, risk=0.05)
        assert at_least(1800, trials=2000, chance=bound) == pytest.approx(0.05, rel=1e-6)
