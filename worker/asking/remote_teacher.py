"""What a desk needs of a teacher behind a wire."""

from collections.abc import Sequence
from typing import Protocol

from llkd.types import Question, TeacherAnswer


class RemoteTeacher(Protocol):
    """Answers one question at a time, many times at once."""

    @property
    def concurrency(self) -> int:
        """Questions in flight at the most."""
        ...

    def order(self, questions: Sequence[Question]) -> Sequence[int]:
        """Places in the order in which to ask, such that the server's caches are of use."""
        ...

    def most_micros(self, question: Question) -> int:
        """What asking it can cost at the most, all tries together."""
        ...

    async def ask(self, question: Question) -> TeacherAnswer:
        """Answer it, with its price; a question that cannot be answered has a status for that.

        Raises:
            Park: the server cannot be asked for a while.
        """
        ...

    async def close(self) -> None: ...
