"""What every student can do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from llkd.types import Classified, FloatArray, IntArray


@dataclass(frozen=True)
class Learned:
    """What came of one optimizer step on B texts.

    Attributes:
        loss: before the step.
        probabilities: [B, K], what the student said of the texts, with dropout, before it.
    """

    loss: float
    probabilities: FloatArray


class Student(Protocol):
    """A classifier in training. Built by `llkd.students.factory.build_student`."""

    def predict(self, texts: Sequence[str], *, averaged: bool = False) -> Classified:
        """Classify in evaluation mode, without gradients.

        Args:
            texts: N texts.
            averaged: with the moving average of the weights instead of the newest ones.
        """
        ...

    def update(
        self, texts: Sequence[str], labels: IntArray, weights: FloatArray, *, learning_rate: float
    ) -> Learned:
        """One optimizer step on sum(w CE) / sum(w).

        Raises:
            TrainingDiverged: the loss is not finite.
        """
        ...

    def remember(self, *, averaged: bool = False) -> None:
        """Keep the weights as they are now, or their average, in place of any kept before."""
        ...

    def recall(self) -> None:
        """Go back to the weights kept last; without any, stay."""
        ...

    def save_training(self, folder: Path) -> None:
        """Write weights, optimizer and random state, so that training goes on bit for bit;
        weights kept by `remember` are among them."""
        ...

    def restore_training(self, folder: Path) -> None: ...

    def weights_sha256(self) -> str:
        """Digest of the weights alone, equal for equal students."""
        ...

    def save_model(self, folder: Path) -> None:
        """Write safetensors, config and tokenizer; nothing else."""
        ...
