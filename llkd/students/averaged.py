"""The moving average of a student's weights, kept beside the weights themselves."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from llkd.errors import CheckpointDamaged


class AveragedWeights:
    """a_t = d_t a_{t-1} + (1 - d_t) w_t with d_t = min(.99, (1 + t) / (5 + t)).

    Late in a training the average is better than the last weights, which still jump with
    each noisy batch; while learning is steep it lags behind. So both are kept, and who
    uses them chooses.

    Source: averaging of an optimizer's path, Polyak & Juditsky (1992); the short memory at
    first is ours.
    """

    def __init__(self, model: nn.Module) -> None:
        self._weights = {
            name: weight for name, weight in model.named_parameters() if weight.requires_grad
        }
        self._average = {name: weight.detach().clone() for name, weight in self._weights.items()}
        self._steps = 0

    @torch.no_grad()
    def follow(self) -> None:
        """Move the average towards the weights; call after each optimizer step."""
        self._steps += 1
        memory = min(0.99, (1 + self._steps) / (5 + self._steps))
        for name, weight in self._weights.items():
            self._average[name].lerp_(weight, 1 - memory)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model's weights are the average; nothing is copied."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for name, weight in self._weights.items():
            weight.data, self._average[name] = self._average[name], weight.data

    def state(self) -> dict[str, Tensor]:
        """The average by name, and under the name "steps" how many it has seen."""
        return self._average | {"steps": torch.tensor(self._steps)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Set what `state` returned for a model of the same make.

        Raises:
            CheckpointDamaged: it is of another make; nothing was changed.
        """
        if state.keys() != self._average.keys() | {"steps"}:
            raise CheckpointDamaged("these averaged weights are another student's, or missing")
        self._steps = int(state["steps"])
        for name, average in self._average.items():
            average.copy_(state[name])
