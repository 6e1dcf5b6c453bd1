"""What became of the questions, counted exactly."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from llkd.errors import TeacherUnusable
from llkd.types import AnswerStatus, ConfidenceSource, TeacherAnswer
from worker.protocol import Json

# A teacher that fails this often from the start will not do better later, and may cost
# money for every row of a long file.
FIRST_ROWS = 200
MOST_FAILED_FIRST = 0.2
MOST_FAILED = 0.5
# A row without a provided answer is no failure of the teacher.
FAILURES = (
    AnswerStatus.REFUSED,
    AnswerStatus.MALFORMED,
    AnswerStatus.TOO_LONG,
    AnswerStatus.FAILED,
)


class Tally:
    """One count a status; together they are the number of texts that were asked about."""

    def __init__(self) -> None:
        self._statuses: Counter[AnswerStatus] = Counter()
        self._sources: Counter[ConfidenceSource] = Counter()
        self._cached = 0
        self._tokens_in = 0
        self._tokens_out = 0
        self._first_checked = False
        self._is_aside = False

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Within it, answers are to questions about no text of the job, and count as tokens
        alone."""
        self._is_aside = True
        try:
            yield
        finally:
            self._is_aside = False

    def add(self, answer: TeacherAnswer, *, cached: bool) -> None:
        if not self._is_aside:
            self._statuses[answer.status] += 1
            self._cached += cached
            if answer.status is AnswerStatus.ANSWERED:
                self._sources[answer.confidence_source] += 1
        if not cached:
            self._tokens_in += answer.tokens_in
            self._tokens_out += answer.tokens_out

    @property
    def asked(self) -> int:
        return self._statuses.total()

    def counts(self) -> Json:
        """Asked is the sum of all statuses; cached is part of it."""
        statuses = {status.value: self._statuses[status] for status in AnswerStatus}
        return {"asked": self.asked, "cached": self._cached, **statuses}

    @property
    def confidence_source(self) -> ConfidenceSource:
        """Where most of the confidences came from."""
        common = self._sources.most_common(1)
        return common[0][0] if common else ConfidenceSource.NONE

    def tokens(self) -> Json:
        """Tokens of the answers that this job bought."""
        return {"input": self._tokens_in, "output": self._tokens_out}

    def check_first(self) -> None:
        """Look once at the first rows.

        Raises:
            TeacherUnusable: too many of them failed.
        """
        if not self._first_checked and self.asked >= FIRST_ROWS:
            self._first_checked = True
            self._check(MOST_FAILED_FIRST)

    def check_all(self) -> None:
        """Look at all rows once they are asked.

        Raises:
            TeacherUnusable: too many of them failed.
        """
        self._check(MOST_FAILED)

    def _check(self, most: float) -> None:
        failed = sum(self._statuses[status] for status in FAILURES)
        tried = self.asked - self._statuses[AnswerStatus.MISSING]
        if tried and failed > most * tried:
            counts = ", ".join(f"{self._statuses[status]} {status.value}" for status in FAILURES)
            raise TeacherUnusable(
                f"The teacher failed on {failed} of {tried} texts ({counts}); "
                f"at most {most:.0%} may fail."
            )
