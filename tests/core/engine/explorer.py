"""Walks every order in which the steps of several processes can happen.

Each step is one transaction, run as a whole: that is what SQLite's BEGIN IMMEDIATE
promises. A savepoint before it and a rollback to it afterwards bring the database back,
so one connection tries all continuations. Situations that are equal in everything that a
later step or check can see are continued once and counted as often as they are reached:
the walk is exhaustive, but costs what the different situations cost.
"""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


class World(Protocol):
    """What the processes act on and what they remember."""

    def situation(self) -> Hashable:
        """Everything that a later step or check can see."""
        ...

    def can(self, process: str, step: str) -> bool:
        """Whether this step can happen now; one that cannot may be possible later."""
        ...

    def do(self, process: str, step: str) -> bool:
        """Run one transaction; raises AssertionError when it broke a promise.

        Returns:
            Whether the step is done; False when it found nothing to do, changed nothing,
            and is to be tried again later.
        """
        ...

    def undone(self) -> AbstractContextManager[None]:
        """Bring everything back, at the end of the block, to how it was at its start."""
        ...


class Violation(AssertionError):
    """A promise was broken; the message gives the steps that broke it."""


@dataclass(frozen=True)
class Walk:
    """How much was walked: orders of steps, different situations, and transactions run."""

    interleavings: int
    situations: int
    transactions: int

    def __str__(self) -> str:
        return (
            f"{self.interleavings:,} interleavings, {self.situations:,} situations, "
            f"{self.transactions:,} transactions"
        )


class Explorer:
    """One exhaustive walk over the programs of some processes."""

    def __init__(self, world: World, programs: Mapping[str, Sequence[str]]) -> None:
        self.world = world
        self.programs = programs
        self.known: dict[Hashable, int] = {}
        self.transactions = 0
        self.path: list[str] = []

    def walk(self) -> Walk:
        """Walk all orders.

        Raises:
            Violation: one of them breaks a promise.
        """
        count = self._count(tuple(0 for _ in self.programs))
        return Walk(count, len(self.known), self.transactions)

    def _count(self, done: tuple[int, ...]) -> int:
        key = (done, self.world.situation())
        if key not in self.known:
            # No step possible: this order ends here, and is one.
            self.known[key] = sum(self._after_each_next(done)) or 1
        return self.known[key]

    def _after_each_next(self, done: tuple[int, ...]) -> list[int]:
        counts = []
        for place, (process, steps) in enumerate(self.programs.items()):
            if done[place] < len(steps) and self.world.can(process, steps[done[place]]):
                further = (*done[:place], done[place] + 1, *done[place + 1 :])
                with self.world.undone():
                    if self._do(process, steps[done[place]]):
                        counts.append(self._count(further))
                    self.path.pop()
        return counts

    def _do(self, process: str, step: str) -> bool:
        self.transactions += 1
        self.path.append(f"{process} {step}")
        try:
            return self.world.do(process, step)
        except AssertionError as broken:
            raise Violation(f"{broken}\nafter: {', '.join(self.path)}") from broken
