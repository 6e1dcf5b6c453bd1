"""All that a training loop must know to go on after a break, apart from the student."""

import base64
import math
from dataclasses import asdict, dataclass, field
from typing import Self

import numpy as np

from llkd.dynamics import Dynamics
from llkd.types import BoolArray, Classified, IntArray, Json


@dataclass
class Counters:
    """What a training used, each thing counted apart.

    Attributes:
        seen: texts a selector decided on, repeats included.
        kept: those it kept, repeats included.
        forwards: texts the student read without learning: scoring and held-out checks.
        gradient_samples: texts of all optimizer steps, repeats included.
        steps: optimizer steps.
        tokens: tokens read without learning.
    """

    seen: int = 0
    kept: int = 0
    forwards: int = 0
    gradient_samples: int = 0
    steps: int = 0
    tokens: int = 0


@dataclass
class TrainingState:
    """Where a training stands. Changed by `distill` as it goes; written by whoever saves.

    Attributes:
        used: [N], True for texts that were part of an optimizer step.
        dynamics: what the student made of each text.
        epoch: pass under way, from 0.
        position: batches of this pass that were decided on.
        buffer: kept samples that wait for an optimizer step: index into the pool, weight.
        seen_in_epoch, kept_in_epoch: texts of this pass.
        last_rate: share of the last whole pass that was kept; None before its end.
        counters: what was used so far.
        selector: the selector's own state; None before the first batch.
        loss_sum: losses of all optimizer steps, added up.
        next_check: the optimizer step at which the held-out texts are looked at again.
        best_score: held-out score of the weights that are kept.
        best_step: the optimizer step that had them.
        best_is_average: whether they are the moving average, not the newest ones.
        looks: optimizer step and held-out score of every look.
        efforts: gradient samples and different texts used by each look; fewer than `looks` in a
            training that an earlier release began, which are then those of the last looks.
        stopped: why training ended, or None while it goes on.
    """

    used: BoolArray
    dynamics: Dynamics
    epoch: int = 0
    position: int = 0
    buffer: list[tuple[int, float]] = field(default_factory=list)
    seen_in_epoch: int = 0
    kept_in_epoch: int = 0
    last_rate: float | None = None
    counters: Counters = field(default_factory=Counters)
    selector: Json | None = None
    loss_sum: float = 0.0
    next_check: int = 0
    best_score: float | None = None
    best_step: int = 0
    best_is_average: bool = False
    looks: list[tuple[int, float]] = field(default_factory=list)
    efforts: list[tuple[int, int]] = field(default_factory=list)
    stopped: str | None = None

    @classmethod
    def start(cls, pool_size: int) -> Self:
        return cls(used=np.zeros(pool_size, dtype=np.bool_), dynamics=Dynamics(pool_size))

    @property
    def unique_used(self) -> int:
        """Different texts that were part of an optimizer step."""
        return int(self.used.sum())

    def advance(self, selector: Json, *, batches: int) -> None:
        """Go to the next batch, or to the next pass after the last of `batches`."""
        self.selector = selector
        self.position += 1
        if self.position < batches:
            return
        self.last_rate = self.kept_in_epoch / self.seen_in_epoch
        self.epoch, self.position = self.epoch + 1, 0
        self.seen_in_epoch = self.kept_in_epoch = 0

    def count_selection(self, *, seen: int, kept: int) -> None:
        self.seen_in_epoch += seen
        self.kept_in_epoch += kept
        self.counters.seen += seen
        self.counters.kept += kept

    def count_forwards(self, answers: Classified) -> None:
        self.counters.forwards += len(answers.truncated)
        self.counters.tokens += answers.tokens

    def count_update(self, index: IntArray, *, loss: float) -> None:
        self.loss_sum += loss
        self.counters.steps += 1
        self.counters.gradient_samples += len(index)
        self.used[index] = True

    def observe_score(self, score: float, *, min_gain: float, next_check: int) -> bool:
        """Take note of a held-out score; returns whether these weights are to be kept.

        They are, unless earlier ones were clearly better: late in a training, when the
        learning rate has come down, equal scores are worth more than early ones.
        """
        self.next_check = next_check
        self.looks.append((self.counters.steps, score))
        self.efforts.append((self.counters.gradient_samples, self.unique_used))
        if score < max(score for _, score in self.looks) - min_gain:
            return False
        self.best_score, self.best_step = score, self.counters.steps
        return True

    def looks_without_gain(self, *, min_gain: float) -> int:
        """Looks since the newest one that added so much to the gain before it."""
        best, since = -math.inf, 0
        for _, score in self.looks:
            if score >= best + min_gain:
                best, since = score, 0
            else:
                since += 1
        return since

    def to_json(self) -> Json:
        """All but the dynamics, as JSON whose floats survive exactly; the bitmap is packed,
        eight texts a byte."""
        content = {
            name: value for name, value in vars(self).items() if name not in {"used", "dynamics"}
        }
        content["counters"] = asdict(self.counters)
        content["buffer"] = [list(entry) for entry in self.buffer]
        content["looks"] = [list(entry) for entry in self.looks]
        content["efforts"] = [list(entry) for entry in self.efforts]
        content["pool_size"] = len(self.used)
        content["used"] = base64.b64encode(np.packbits(self.used).tobytes()).decode("ascii")
        return content

    @classmethod
    def from_json(cls, content: Json, dynamics: Dynamics) -> Self:
        fields = dict(content)
        size = fields.pop("pool_size")
        packed = np.frombuffer(base64.b64decode(fields.pop("used")), dtype=np.uint8)
        used = np.unpackbits(packed, count=size).astype(np.bool_)
        counters = Counters(**fields.pop("counters"))
        buffer = [(int(index), float(weight)) for index, weight in fields.pop("buffer")]
        looks = [(int(step), float(score)) for step, score in fields.pop("looks", [])]
        # Trainings that earlier releases began kept none.
        efforts = [(int(samples), int(unique)) for samples, unique in fields.pop("efforts", [])]
        return cls(
            used=used,
            dynamics=dynamics,
            counters=counters,
            buffer=buffer,
            looks=looks,
            efforts=efforts,
            **fields,
        )
