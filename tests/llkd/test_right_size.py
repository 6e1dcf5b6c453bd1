"""Of several students, the best one that is fast enough is kept."""

from hypothesis import given
from hypothesis import strategies as st

from llkd.right_size import Trial, choose, holds, pareto_front

SLOW = Trial(0.90, p95_ms=12.0, size_bytes=90)
MIDDLE = Trial(0.85, p95_ms=6.0, size_bytes=45)
FAST = Trial(0.80, p95_ms=0.2, size_bytes=30)
WORSE = Trial(0.79, p95_ms=7.0, size_bytes=50)
TRIALS = [WORSE, FAST, SLOW, MIDDLE]

trials = st.lists(
    st.builds(
        Trial,
        st.none() | st.floats(0, 1),
        p95_ms=st.none() | st.floats(0.01, 100),
        size_bytes=st.none() | st.integers(1, 1000),
    ),
    min_size=1,
    max_size=8,
)


class TestChoose:
    def test_without_a_limit_the_best_score_is_kept(self) -> None:
        assert TRIALS[choose(TRIALS, most_ms=None)] is SLOW

    def test_of_those_within_the_limit_the_best_score_is_kept(self) -> None:
        assert TRIALS[choose(TRIALS, most_ms=10)] is MIDDLE
        assert TRIALS[choose(TRIALS, most_ms=6.0)] is MIDDLE
        assert TRIALS[choose(TRIALS, most_ms=5.9)] is FAST

    def test_if_none_is_within_it_the_fastest_is_kept(self) -> None:
        assert TRIALS[choose(TRIALS, most_ms=0.1)] is FAST

    def test_among_equal_scores_the_faster_one_then_the_first_is_kept(self) -> None:
        slow, fast = Trial(0.8, p95_ms=9.0), Trial(0.8, p95_ms=3.0)
        assert choose([slow, fast], most_ms=None) == 1
        assert choose([Trial(0.8), Trial(0.8)], most_ms=None) == 0

    def test_without_scores_the_fastest_is_kept(self) -> None:
        assert choose([Trial(None, p95_ms=9.0), Trial(None, p95_ms=3.0)], most_ms=10) == 1


class TestParetoFront:
    def test_one_that_another_beats_in_everything_is_not_on_it(self) -> None:
        assert pareto_front(TRIALS) == [False, True, True, True]

    def test_equals_are_both_on_it(self) -> None:
        assert pareto_front([FAST, FAST]) == [True, True]

    def test_a_smaller_one_is_on_it_however_bad(self) -> None:
        assert pareto_front([SLOW, Trial(0.1, p95_ms=20.0, size_bytes=1)]) == [True, True]

    @given(trials=trials)
    def test_the_best_score_is_matched_on_it(self, trials: list[Trial]) -> None:
        front = pareto_front(trials)
        best = max(trial.score or 0.0 for trial in trials)
        on_it = [trial for trial, is_on in zip(trials, front, strict=True) if is_on]
        assert any((trial.score or 0.0) == best for trial in on_it)

    @given(trials=trials, most_ms=st.floats(0.01, 100))
    def test_what_is_kept_holds_the_limit_if_any_does(
        self, trials: list[Trial], most_ms: float
    ) -> None:
        kept = trials[choose(trials, most_ms=most_ms)]
        assert holds(kept, most_ms=most_ms) == any(
            holds(trial, most_ms=most_ms) for trial in trials
        )
