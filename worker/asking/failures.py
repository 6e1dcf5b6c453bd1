"""Which failed rows the job's log names."""

from collections.abc import Sequence

from llkd.types import AnswerStatus, Json, TeacherAnswer

# The log names the first failed rows that each worker meets; all stand in the label file.
LOGGED_FAILURES = 100


class FailureLog:
    """Counts, so that a million failed rows do not become a million events."""

    def __init__(self) -> None:
        self._logged = 0

    def of(self, answers: Sequence[TeacherAnswer], *, places: Sequence[int | None]) -> list[Json]:
        """What to write of these answers to the rows at these places; nothing of those at None."""
        failures: list[Json] = [
            {"row": place, "status": answer.status.value}
            for place, answer in zip(places, answers, strict=True)
            if place is not None and answer.status is not AnswerStatus.ANSWERED
        ][: LOGGED_FAILURES - self._logged]
        self._logged += len(failures)
        return failures
