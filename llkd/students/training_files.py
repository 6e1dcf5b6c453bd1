"""How a student in training is written and read: safetensors only, nothing that could run."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

TRAINING = "training.safetensors"


class RandomState:
    """A stream of random numbers, swapped in for torch's global one while it is drawn from.

    Dropout knows only the global generators; this lends them to one student at a time.
    """

    def __init__(self, device: torch.device, states: dict[str, Tensor]) -> None:
        self._device = device
        self.states = states

    @classmethod
    def seeded(cls, seed: int, device: torch.device) -> Self:
        states = {"cpu": torch.Generator().manual_seed(seed).get_state()}
        if device.type == "cuda":
            states["cuda"] = torch.Generator(device).manual_seed(seed).get_state()
        return cls(device, states)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Draw from this stream inside, and leave the global one as it was."""
        before = self._read()
        self._write(self.states)
        try:
            yield
        finally:
            self.states = self._read()
            self._write(before)

    def _read(self) -> dict[str, Tensor]:
        states = {"cpu": torch.get_rng_state()}
        if self._device.type == "cuda":
            states["cuda"] = torch.cuda.get_rng_state(self._device)
        return states

    def _write(self, states: Mapping[str, Tensor]) -> None:
        torch.set_rng_state(states["cpu"])
        if self._device.type == "cuda" and "cuda" in states:
            torch.cuda.set_rng_state(states["cuda"], self._device)


def write_training(
    folder: Path,
    *,
    weights: Mapping[str, Tensor],
    best: Mapping[str, Tensor] | None,
    average: Mapping[str, Tensor],
    optimizer: torch.optim.Optimizer,
    random: RandomState,
) -> None:
    """Write all that a student needs to go on bit for bit, as one file."""
    tensors = {f"weights.{name}": tensor for name, tensor in weights.items()}
    tensors |= {f"best.{name}": tensor for name, tensor in (best or {}).items()}
    tensors |= {f"average.{name}": tensor.cpu() for name, tensor in average.items()}
    tensors |= {f"random.{name}": state for name, state in random.states.items()}
    for index, moments in optimizer.state_dict()["state"].items():
        for name, value in moments.items():
            tensors[f"optimizer.{index}.{name}"] = value.detach().cpu().contiguous()
    save_file(tensors, folder / TRAINING)


@dataclass(frozen=True)
class SavedTraining:
    """What `write_training` wrote: tensors by name, and an optimizer's by parameter, then name."""

    weights: dict[str, Tensor]
    best: dict[str, Tensor] | None
    average: dict[str, Tensor]
    random: dict[str, Tensor]
    moments: dict[int, dict[str, Tensor]]


def read_training(folder: Path) -> SavedTraining:
    """Read a training back; nothing is changed by it."""
    tensors = load_file(folder / TRAINING)
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in _below(tensors, "optimizer.").items():
        index, name = key.split(".", 1)
        moments.setdefault(int(index), {})[name] = tensor
    return SavedTraining(
        weights=_below(tensors, "weights."),
        best=_below(tensors, "best.") or None,
        average=_below(tensors, "average."),
        random=_below(tensors, "random."),
        moments=moments,
    )


def digest_of(weights: Mapping[str, Tensor]) -> str:
    """Sha256 over names, types, shapes and bytes, in order of name."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
