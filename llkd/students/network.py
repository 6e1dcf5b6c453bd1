"""What a network that learns to classify can do, and its weights by name."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from llkd.errors import CheckpointDamaged

WEIGHTS = "model.safetensors"
# What a folder of ours says of itself beside the base model's own config.json.
DESCRIPTION = "llkd.json"

# The spread of a fresh head: BERT's own, small enough that the first predictions are
# close to uniform and every text counts as uncertain.
_HEAD_SPREAD = 0.02


class Network(nn.Module, ABC):
    """Token ids to logits, saved as a folder that says how to read it back.

    Attributes:
        kind: as in the student's spec.
        head_pace: how many times as fast as the other layers the head learns.
        head: the last layer, to K logits.
    """

    kind: ClassVar[str]
    head_pace: ClassVar[float] = 1.0
    head: nn.Linear

    @property
    def class_count(self) -> int:
        return self.head.out_features

    def begin_head(self, *, seed: int) -> None:
        """Give the head its first weights, by the seed alone: equal seeds, equal students."""
        generator = torch.Generator().manual_seed(seed)
        nn.init.normal_(self.head.weight, std=_HEAD_SPREAD, generator=generator)
        nn.init.zeros_(self.head.bias)

    @abstractmethod
    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Score each class.

        Args:
            input_ids: [B, T], int64.
            attention_mask: [B, T], int64; 1 on tokens, 0 on padding.

        Returns:
            [B, K], float32 logits.
        """

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, in evaluation mode."""

    @abstractmethod
    def save_config(self, folder: Path) -> None:
        """Write the config.json that `load` builds the network from."""

    def save(self, folder: Path, *, max_length: int) -> None:
        """Write the weights, config.json and our llkd.json."""
        self.save_config(folder)
        save_file(weights_of(self), folder / WEIGHTS, metadata={"format": "pt"})
        description = {
            "kind": self.kind,
            "class_count": self.class_count,
            "max_length": max_length,
            "pooling": "mean",
        }
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=2), encoding="utf-8")


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """The weights by name, on the CPU, each in memory of its own, as safetensors wants them."""
    return {name: _copied(tensor) for name, tensor in model.state_dict().items()}


def learned_weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Only the weights that learn: all that tells a student in training from its base."""
    return {
        name: _copied(tensor) for name, tensor in model.named_parameters() if tensor.requires_grad
    }


def put_learned_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Set what `learned_weights_of` returned; the names must be the same.

    Raises:
        CheckpointDamaged: they are not, so these are another student's weights.
    """
    learned = {name: tensor for name, tensor in model.named_parameters() if tensor.requires_grad}
    if learned.keys() != weights.keys():
        odd = sorted(learned.keys() ^ weights.keys())
        raise CheckpointDamaged(f"these are another student's weights: {', '.join(odd[:3])}")
    with torch.no_grad():
        for name, tensor in learned.items():
            tensor.copy_(weights[name])


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
