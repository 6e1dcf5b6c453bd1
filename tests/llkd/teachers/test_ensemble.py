"""Several answers become one: by their mean, or by who agrees."""

import pytest

from llkd.teachers.ensemble import combine
from llkd.types import AnswerStatus, ConfidenceSource, TeacherAnswer

K = 3


def spread(*probabilities: float) -> TeacherAnswer:
    label = max(range(len(probabilities)), key=probabilities.__getitem__)
    return TeacherAnswer(
        AnswerStatus.ANSWERED,
        label=label,
        probabilities=probabilities,
        confidence=probabilities[label],
        confidence_source=ConfidenceSource.CALIBRATED,
    )


def hard(label: int, confidence: float | None = None) -> TeacherAnswer:
    return TeacherAnswer(AnswerStatus.ANSWERED, label=label, confidence=confidence)


def failed(status: AnswerStatus) -> TeacherAnswer:
    return TeacherAnswer(status)


class TestAverage:
    def test_it_is_the_mean_of_the_distributions(self):
        answer = combine([spread(0.6, 0.4, 0.0), spread(0.1, 0.7, 0.2)], "average", class_count=K)
        assert answer.probabilities == pytest.approx((0.35, 0.55, 0.1))
        assert answer.label == 1
        assert answer.confidence == pytest.approx(0.55)
        assert answer.confidence_source is ConfidenceSource.VOTES

    def test_a_bare_label_is_certain(self):
        answer = combine([hard(2), spread(0.5, 0.5, 0.0)], "average", class_count=K)
        assert answer.probabilities == pytest.approx((0.25, 0.25, 0.5))

    def test_a_confidence_stands_on_its_label_and_the_rest_is_spread(self):
        answer = combine([hard(0, 0.6), hard(1, 0.8)], "average", class_count=K)
        assert answer.probabilities == pytest.approx((0.35, 0.5, 0.15))

    def test_of_equals_the_first_label_answers(self):
        assert combine([hard(2), hard(1)], "average", class_count=K).label == 1

    def test_who_failed_is_left_out(self):
        one = spread(0.2, 0.7, 0.1)
        answer = combine([failed(AnswerStatus.REFUSED), one], "average", class_count=K)
        assert answer.status is AnswerStatus.ANSWERED
        assert answer.probabilities == pytest.approx(one.probabilities)


class TestVote:
    def test_most_votes_win_whoever_is_surer(self):
        answers = [hard(0, 0.4), hard(0, 0.4), hard(1, 0.99)]
        answer = combine(answers, "vote", class_count=K)
        assert answer.label == 0
        assert answer.confidence == pytest.approx(2 / 3)
        assert answer.probabilities == pytest.approx((2 / 3, 1 / 3, 0))
        assert answer.confidence_source is ConfidenceSource.VOTES

    def test_a_tie_goes_to_the_surer_voters(self):
        answers = [hard(0, 0.9), hard(1, 0.6), hard(2, 0.1), hard(0, 0.3), hard(1, 0.7)]
        assert combine(answers, "vote", class_count=K).label == 1

    def test_a_voter_without_a_confidence_counts_as_certain(self):
        assert combine([hard(0, 0.99), hard(2)], "vote", class_count=K).label == 2

    def test_a_tie_of_equally_sure_voters_goes_to_the_first_label(self):
        assert combine([hard(2, 0.5), hard(1, 0.5)], "vote", class_count=K).label == 1

    def test_shares_are_of_those_who_answered(self):
        answers = [hard(1), failed(AnswerStatus.FAILED), hard(1), failed(AnswerStatus.MALFORMED)]
        assert combine(answers, "vote", class_count=K).confidence == 1.0


@pytest.mark.parametrize("how", ["average", "vote"])
class TestCombine:
    @pytest.mark.parametrize(
        ("statuses", "expected"),
        [
            (["missing", "failed"], "failed"),
            (["failed", "malformed", "missing"], "malformed"),
            (["malformed", "too_long"], "too_long"),
            (["too_long", "refused", "malformed"], "refused"),
        ],
    )
    def test_where_all_failed_the_most_telling_failure_stands(self, how, statuses, expected):
        answers = [failed(AnswerStatus(status)) for status in statuses]
        together = combine(answers, how, class_count=K)
        assert together == TeacherAnswer(AnswerStatus(expected))

    def test_every_failure_can_stand_for_all(self, how):
        for status in set(AnswerStatus) - {AnswerStatus.ANSWERED}:
            assert combine([failed(status)], how, class_count=K).status is status

    def test_all_members_are_paid_for(self, how):
        answers = [
            TeacherAnswer(AnswerStatus.ANSWERED, 1, tokens_in=10, tokens_out=1, cost_micros=5),
            TeacherAnswer(AnswerStatus.MALFORMED, tokens_in=20, tokens_out=7, cost_micros=9),
        ]
        together = combine(answers, how, class_count=K)
        assert (together.tokens_in, together.tokens_out, together.cost_micros) == (30, 8, 14)
        nothing = combine(answers[1:], how, class_count=K)
        assert (nothing.tokens_in, nothing.tokens_out, nothing.cost_micros) == (20, 7, 9)

    def test_nobody_is_no_ensemble(self, how):
        with pytest.raises(ValueError, match="at least one"):
            combine([], how, class_count=K)
