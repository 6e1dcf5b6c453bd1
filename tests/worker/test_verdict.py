"""Every end of a child has one meaning."""

from typing import Any

import pytest

from core.lifecycle import JobState
from worker.protocol import Failed, Parked, Succeeded
from worker.verdict import (
    Crash,
    Finish,
    LeaveAlone,
    NothingLeft,
    Park,
    Release,
    ShardVerdict,
    StopCause,
    Verdict,
    judge,
    judge_assistant,
)

RESULT = Succeeded({"model_id": "model_1"})
PROBLEM = Failed({"code": "teacher-unusable"})


def verdict(exit_code: int, **given: Any) -> Verdict:
    facts: dict[str, Any] = {"ending": None, "cause": None, "failed_at": "", "stage": "train"}
    return judge(exit_code, **facts | given)


class TestJudging:
    def test_a_result_that_came_in_time_stands(self) -> None:
        for cause in (None, StopCause.CANCEL, StopCause.DRAIN, StopCause.DEADLINE):
            finish = verdict(0, ending=RESULT, cause=cause)
            assert finish == Finish(JobState.SUCCEEDED, result=RESULT.result)

    def test_a_lost_job_is_left_alone_whatever_its_child_says(self) -> None:
        assert verdict(0, ending=RESULT, cause=StopCause.GHOST) == LeaveAlone()
        assert verdict(76) == LeaveAlone()

    @pytest.mark.parametrize("ending", [None, PROBLEM])
    def test_after_a_stop_a_failure_is_not_believed(self, ending: Failed | None) -> None:
        assert verdict(1, ending=ending, cause=StopCause.CANCEL) == Finish(JobState.CANCELLED)
        assert verdict(1, ending=ending, cause=StopCause.DRAIN) == Release("drain")

    def test_a_stall_is_a_crash_even_when_the_child_left_politely(self) -> None:
        assert isinstance(verdict(75, cause=StopCause.STALL), Crash)

    def test_a_failure_has_to_be_said_and_to_be_the_end(self) -> None:
        assert verdict(1, ending=PROBLEM) == Finish(JobState.FAILED, error=PROBLEM.problem)
        assert isinstance(verdict(0, ending=PROBLEM), Crash)
        assert isinstance(verdict(1), Crash)
        assert isinstance(verdict(-9, ending=RESULT), Crash)

    def test_a_parked_job_says_so_before_it_leaves(self) -> None:
        parked = Parked({"code": "teacher-auth"}, after_s=60)
        assert verdict(75, ending=parked) == Park(parked.problem, 60)
        assert verdict(75, ending=parked, cause=StopCause.CANCEL) == Finish(JobState.CANCELLED)
        assert isinstance(verdict(1, ending=parked), Crash)

    def test_a_crash_names_the_signal_and_the_place(self) -> None:
        crash = verdict(-11, failed_at="llkd/distiller.py:3 learn")
        assert crash == Crash("the job's process ended by SIGSEGV at llkd/distiller.py:3 learn")
        assert verdict(-64) == Crash("the job's process ended by SIGRTMAX")


class TestJudgingAnAssistant:
    def verdict(self, exit_code: int, **given: Any) -> ShardVerdict:
        facts: dict[str, Any] = {"ending": None, "cause": None, "failed_at": ""}
        return judge_assistant(exit_code, **facts | given)

    def test_a_last_shard_that_is_done_leaves_nothing(self) -> None:
        assert self.verdict(0, ending=RESULT) == NothingLeft()

    def test_a_lost_shard_is_left_alone(self) -> None:
        assert self.verdict(76) == LeaveAlone()
        assert self.verdict(-9, cause=StopCause.GHOST) == LeaveAlone()

    @pytest.mark.parametrize("cause", [StopCause.DRAIN, StopCause.YIELD])
    def test_one_that_was_asked_to_stop_gives_its_shard_back(self, cause: StopCause) -> None:
        assert self.verdict(-9, cause=cause) == Release(cause.value)

    def test_one_whose_host_stops_gives_its_shard_back(self) -> None:
        assert isinstance(self.verdict(75), Release)

    def test_every_other_end_is_a_crash_and_no_matter_of_the_job(self) -> None:
        for exit_code, given in (
            (-9, {}),
            (0, {}),
            (1, {"ending": PROBLEM}),
            (75, {"cause": StopCause.STALL}),
        ):
            assert isinstance(self.verdict(exit_code, **given), Crash)
