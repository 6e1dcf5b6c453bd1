"""Students whose agreement with a teacher is known: worlds to draw certification texts from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from llkd.threshold_path import Observed
from llkd.types import FloatArray


@dataclass(frozen=True)
class World:
    """Texts of several labels.

    Attributes:
        shares: [K], how often each label is predicted.
        too_sure: [K], by how much the log-odds of its scores are above the truth.
        coarse: what the student makes of its scores.
    """

    shares: tuple[float, ...]
    too_sure: tuple[float, ...]
    coarse: Callable[[FloatArray], FloatArray] = lambda score: score

    @property
    def class_count(self) -> int:
        return len(self.shares)

    def draw(self, count: int, generator: np.random.Generator) -> Observed:
        predicted = generator.choice(self.class_count, size=count, p=self.shares)
        log_odds = generator.normal(2.0, 2.0, size=count)
        score = self.coarse(1 / (1 + np.exp(-log_odds)))
        truth = 1 / (1 + np.exp(np.array(self.too_sure)[predicted] - log_odds))
        return Observed(predicted, score, generator.random(count) < truth)


WORLDS: Mapping[str, World] = {
    "smooth": World((0.4, 0.3, 0.3), (0.0, 0.5, -0.5)),
    "one label far too sure": World((0.5, 0.25, 0.25), (0.0, 0.0, 4.0)),
    "rare labels": World((0.6, 0.388, 0.009, 0.003), (0.0, 0.5, 5.0, 8.0)),
    "tied": World((0.5, 0.5), (0.0, 2.0), coarse=lambda score: np.round(score * 4) / 4),
    "saturated": World((0.5, 0.5), (0.0, 2.0), coarse=lambda score: np.minimum(1.0, score * 1.3)),
}
