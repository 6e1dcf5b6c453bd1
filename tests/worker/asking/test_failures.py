"""The log names the rows that failed, the first hundred of them."""

from llkd.types import AnswerStatus, TeacherAnswer
from worker.asking.failures import LOGGED_FAILURES, FailureLog

REFUSED = TeacherAnswer(AnswerStatus.REFUSED)
ANSWERED = TeacherAnswer(AnswerStatus.ANSWERED, label=0)


class TestFailureLog:
    def test_it_names_rows_that_failed(self) -> None:
        named = FailureLog().of([ANSWERED, REFUSED], places=[3, 7])
        assert named == [{"row": 7, "status": "refused"}]

    def test_a_question_about_no_row_is_not_named(self) -> None:
        assert FailureLog().of([REFUSED, REFUSED], places=[None, 2]) == [
            {"row": 2, "status": "refused"}
        ]

    def test_it_ends_after_the_first_ones(self) -> None:
        log = FailureLog()
        many = [REFUSED] * LOGGED_FAILURES
        assert len(log.of(many, places=range(LOGGED_FAILURES))) == LOGGED_FAILURES
        assert log.of([REFUSED], places=[LOGGED_FAILURES]) == []
