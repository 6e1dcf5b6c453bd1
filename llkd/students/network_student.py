"""A student made of a network: predicts, learns, and can be put down and taken up."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from llkd.errors import TrainingDiverged
from llkd.losses import weighted_cross_entropy
from llkd.side_by_side import side_by_side
from llkd.students.averaged import AveragedWeights
from llkd.students.base import Learned
from llkd.students.network import (
    Network,
    learned_weights_of,
    put_learned_weights,
    weights_of,
)
from llkd.students.optimizer import PACE, build_optimizer
from llkd.students.training_files import RandomState, digest_of, read_training, write_training
from llkd.tokens import TextReader, TokenRows
from llkd.types import Classified, FloatArray, IntArray

# Longer gradients are cut: one odd text must not undo a hundred steps.
MAX_GRADIENT_NORM = 1.0

# Padded tokens that a forward holds at once. A CPU gains nothing from more and loses by
# the padding: a few texts of like length are fastest. A GPU wants to be filled. Training
# keeps activations, so it holds less.
_PREDICT = {"cpu": 256, "cuda": 262_144}
_UPDATE = {"cpu": 512, "cuda": 65_536}


class NetworkStudent:
    """Keeps the `Student` protocol over a `Network`."""

    def __init__(
        self,
        model: Network,
        reader: TextReader,
        *,
        max_length: int,
        weight_decay: float,
        seed: int,
        device: torch.device,
        precision: torch.dtype = torch.float32,
    ) -> None:
        self._model = model.to(device)
        self._reader = reader
        self._max_length = max_length
        self._device = device
        self._precision = precision
        self._optimizer = build_optimizer(self._model, weight_decay=weight_decay)
        # Dropout draws from a stream of the student's own: what else runs in the process
        # cannot change the training, and a resumed one draws the same numbers.
        self._random = RandomState.seeded(seed, device)
        self._averaged = AveragedWeights(self._model)
        self._best: dict[str, Tensor] | None = None

    def predict(self, texts: Sequence[str], *, averaged: bool = False) -> Classified:
        """Classify in evaluation mode, without gradients; answers come in the texts' order."""
        with self._averaged.in_place() if averaged else nullcontext():
            return self._predict(texts)

    def _predict(self, texts: Sequence[str]) -> Classified:
        rows = self._reader.read(texts)
        logits = torch.empty((len(texts), self._model.class_count), dtype=torch.float64)
        self._model.eval()
        batches = list(rows.batches(padded_tokens=_PREDICT[self._device.type]))
        scored = side_by_side(lambda index: self._score(rows, index), batches, device=self._device)
        for index, found in zip(batches, scored, strict=True):
            logits[torch.from_numpy(index)] = found
        probabilities = torch.softmax(logits, dim=1).numpy()
        return Classified(probabilities, rows.truncated, rows.count)

    def update(
        self, texts: Sequence[str], labels: IntArray, weights: FloatArray, *, learning_rate: float
    ) -> Learned:
        """One optimizer step on sum(w CE) / sum(w).

        Args:
            texts: B texts.
            labels: [B], in 0..K-1.
            weights: [B], > 0.
            learning_rate: of this step.

        Raises:
            TrainingDiverged: the loss or its gradient is not finite; no weight was changed.
        """
        self._model.train()
        self._optimizer.zero_grad(set_to_none=True)
        with self._random.active():
            learned = self._backward(self._reader.read(texts), labels, weights)
        norm = torch.nn.utils.clip_grad_norm_(self._trained(), MAX_GRADIENT_NORM)
        if not (np.isfinite(learned.loss) and bool(torch.isfinite(norm))):
            raise TrainingDiverged(
                f"the loss is {learned.loss} and its gradient {float(norm)} long: lower the "
                f"learning rate (now {learning_rate:g})"
            )
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate * group[PACE]
        self._optimizer.step()
        self._averaged.follow()
        return learned

    def remember(self, *, averaged: bool = False) -> None:
        """Keep the weights as they are now, or their average, in place of any kept before."""
        with self._averaged.in_place() if averaged else nullcontext():
            self._best = learned_weights_of(self._model)

    def recall(self) -> None:
        """Go back to the weights kept last; without any, stay."""
        if self._best is not None:
            put_learned_weights(self._model, self._best)

    def save_training(self, folder: Path) -> None:
        """Write what was learned, optimizer and random state; training goes on bit for bit.

        Layers that do not learn are not written: the base model has them.
        """
        write_training(
            folder,
            weights=learned_weights_of(self._model),
            best=self._best,
            average=self._averaged.state(),
            optimizer=self._optimizer,
            random=self._random,
        )

    def restore_training(self, folder: Path) -> None:
        """Read what `save_training` wrote into a student built from the same spec.

        Raises:
            CheckpointDamaged: it was written by a student of another kind.
        """
        saved = read_training(folder)
        # First: it refuses a student of another kind before anything is changed.
        self._averaged.restore(saved.average)
        put_learned_weights(self._model, saved.weights)
        groups = self._optimizer.state_dict()["param_groups"]
        self._optimizer.load_state_dict({"state": saved.moments, "param_groups": groups})
        self._random.states = saved.random
        self._best = saved.best

    def weights_sha256(self) -> str:
        """Digest of the weights alone, equal for equal students."""
        return digest_of(weights_of(self._model))

    def save_model(self, folder: Path) -> None:
        """Write safetensors, configurations and tokenizer; nothing else.

        Raises:
            TrainingDiverged: a weight is not finite; such a model is never published.
        """
        for name, tensor in self._model.state_dict().items():
            if not bool(torch.isfinite(tensor).all()):
                raise TrainingDiverged(f"the weight {name} is not finite")
        folder.mkdir(parents=True, exist_ok=True)
        self._model.save(folder, max_length=self._max_length)
        self._reader.save(folder)

    def _trained(self) -> list[torch.nn.Parameter]:
        return [each for each in self._model.parameters() if each.requires_grad]

    def _backward(self, rows: TokenRows, labels: IntArray, weights: FloatArray) -> Learned:
        """Accumulate the gradient of the whole batch's loss over batches that fit the device."""
        total = float(weights.sum())
        loss = 0.0
        probabilities = np.empty((len(labels), self._model.class_count))
        for index in rows.batches(padded_tokens=_UPDATE[self._device.type]):
            part = torch.from_numpy(weights[index]).to(self._device, torch.float32)
            target = torch.from_numpy(labels[index]).to(self._device)
            with self._mixed_precision():
                logits = self._forward(rows, index)
            # The part's own mean, scaled to its share of the weight: the shares add up to
            # the mean over the whole batch.
            share = weighted_cross_entropy(logits, target, part) * (float(part.sum()) / total)
            share.backward()  # type: ignore[no-untyped-call]
            loss += share.item()
            probabilities[index] = torch.softmax(logits.detach().double(), dim=1).cpu().numpy()
        return Learned(loss, probabilities)

    def _score(self, rows: TokenRows, index: IntArray) -> Tensor:
        """[n, K] logits without gradients, in float64 on the CPU."""
        with torch.inference_mode(), self._mixed_precision():
            return self._forward(rows, index).double().cpu()

    def _forward(self, rows: TokenRows, index: IntArray) -> Tensor:
        """[n, K] logits of these rows, padded to the longest of them."""
        longest = max(len(rows.ids[i]) for i in index)
        ids = np.full((len(index), longest), self._reader.pad_id, dtype=np.int64)
        mask = np.zeros((len(index), longest), dtype=np.int64)
        for row, i in enumerate(index):
            length = len(rows.ids[i])
            ids[row, :length] = rows.ids[i]
            mask[row, :length] = 1
        logits: Tensor = self._model(
            torch.from_numpy(ids).to(self._device), torch.from_numpy(mask).to(self._device)
        )
        return logits

    def _mixed_precision(self) -> torch.autocast:
        """Inside, matrices are multiplied in the student's precision; sums stay in float32."""
        return torch.autocast(
            self._device.type, dtype=self._precision, enabled=self._precision != torch.float32
        )
