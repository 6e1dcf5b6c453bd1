"""How long, how fast and in which order a student learns."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from llkd.specs import Candidate, LlkdSelection
from llkd.training_state import TrainingState
from llkd.types import IntArray, Pool

# Past this the student changes too much between the scoring of a batch and its use.
_LARGEST_FOR_CLASSES = 256


@dataclass(frozen=True)
class TrainingPlan:
    """The numbers of one training.

    Attributes:
        epochs: passes over the pool at the most.
        most_steps: optimizer steps at the most; infinity for as many as the passes lead to.
        batch_size: b, samples of an optimizer step, and texts of a selection batch.
        learning_rate: the schedule's peak.
        seed: decides the order of the texts.
        early_stopping: look at held-out texts, keep the best, and end when little is kept.
        ragged: learn from what is kept of a batch at once, however few.
        warmup_steps: optimizer steps over which the rate rises to its peak.
        first_check: optimizer steps before the held-out texts are first looked at: while a
            student of many classes warms up, its score stands still and means nothing.
        check_every: optimizer steps between two looks.
        min_gain: what a look must add to the best score, in macro-F1, to count as a gain.
            Agreement with a noisy teacher creeps up long after the truth is learned.
        patience: looks without a gain after which training stops.
    """

    epochs: int
    most_steps: float = math.inf
    batch_size: int = 32
    learning_rate: float = 3e-4
    seed: int = 42
    early_stopping: bool = True
    ragged: bool = False
    warmup_steps: int = 10
    first_check: int = 30
    check_every: int = 10
    min_gain: float = 0.02
    patience: int = 5

    @classmethod
    def of(cls, candidate: Candidate, *, pool_size: int) -> Self:
        """The plan of one candidate over a pool of this size, its defaults resolved."""
        training, selection = candidate.training, candidate.selection
        epochs, steps = candidate.usual_length(pool_size=pool_size)
        return cls(
            epochs=epochs,
            most_steps=math.inf if steps is None else steps,
            batch_size=training.batch_size,
            learning_rate=candidate.learning_rate,
            seed=training.seed,
            early_stopping=training.early_stopping,
            ragged=isinstance(selection, LlkdSelection) and selection.ragged,
        )

    def batches(self, epoch: int, *, pool: Pool) -> list[IntArray]:
        """A pass over the pool: batches of indices, a function of seed and epoch alone.

        They are of like size: a last batch of three texts would move every threshold.
        """
        order = np.random.default_rng([self.seed, epoch]).permutation(len(pool))
        return np.array_split(order, self.batches_an_epoch(pool))

    def batches_an_epoch(self, pool: Pool) -> int:
        # With fewer than two texts a class, a class's mean is one text's luck.
        size = max(self.batch_size, min(2 * pool.class_count, _LARGEST_FOR_CLASSES))
        return max(1, round(len(pool) / size))

    def batches_behind(self, state: TrainingState, *, pool: Pool) -> int:
        """Batches of the pool that were decided on, over all passes."""
        return state.epoch * self.batches_an_epoch(pool) + state.position

    def fraction(self, state: TrainingState, *, pool: Pool) -> float:
        """Share of the planned training that is behind, in [0, 1]: of its passes or of its
        optimizer steps, whichever will end it."""
        passes = self.batches_behind(state, pool=pool) / self.batches_an_epoch(pool)
        return min(1.0, max(passes / self.epochs, state.counters.steps / self.most_steps))

    def learning_rate_at(self, step: int, *, fraction: float) -> float:
        """The rate of one optimizer step.

        Args:
            step: optimizer steps taken before this one.
            fraction: share of the planned training that is behind, in [0, 1].
        """
        warmth = min(1.0, (step + 1) / max(1, self.warmup_steps))
        return self.learning_rate * warmth * (1.0 - fraction)
