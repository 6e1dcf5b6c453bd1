"""Does a text entail what a label claims of it? Asked of a local model, pair by pair."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from llkd.model_folder import token_limit
from llkd.side_by_side import side_by_side
from llkd.teachers.equal_shapes import ROWS, attention, fill, like_lengths
from llkd.teachers.pair_reader import Pair, PairReader
from llkd.teachers.zero_shot_model import Inference
from llkd.types import FloatArray

# Of text and hypothesis together; such models are trained on sentences.
MAX_LENGTH = 256


class LocalEntailment:
    """Log-odds of entailment in float32: the same bits for a text whatever stands beside it."""

    def __init__(
        self,
        network: PreTrainedModel,
        reader: PairReader,
        *,
        hypotheses: Sequence[str],
        inference: Inference,
        device: torch.device,
    ) -> None:
        # transformers' own `eval` and `to` have no types; torch's, which they wrap, do.
        module = cast(torch.nn.Module, network)
        _sum_row_by_row(module, outputs=cast(int, network.config.num_labels))
        module.eval().to(device)
        self._network = network
        self._reader = reader
        self._hypotheses = [reader.shortened(text) for text in hypotheses]
        self._inference = inference
        self._device = device
        self._rows = ROWS[device.type]
        # Some families tell the two sentences apart by a type, others know none.
        self._has_types = getattr(network.config, "type_vocab_size", 0) > 1

    @classmethod
    def from_folder(cls, folder: Path, *, hypotheses: Sequence[str], inference: Inference) -> Self:
        """Load a model that `llkd.base_models.locate` found safe, onto the GPU if there is one."""
        network = AutoModelForSequenceClassification.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
        )
        readable = min(MAX_LENGTH, token_limit(folder) or MAX_LENGTH)
        return cls(
            network,
            PairReader(folder, max_length=readable),
            hypotheses=hypotheses,
            inference=inference,
            device=torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        )

    def score(self, texts: Sequence[str]) -> FloatArray:
        """[N, K]: how much more likely than not each of N texts entails each of K hypotheses.

        A logit alone says nothing of another pair's: what is added to all outputs of a pair
        changes no probability. Their difference is free of that.
        """
        pairs = self._reader.read(
            [(text, hypothesis) for text in texts for hypothesis in self._hypotheses]
        )
        batches = list(like_lengths([pair.ids for pair in pairs], size=self._rows))
        judged = side_by_side(
            lambda batch: self._forward([pairs[place] for place in batch[0]], length=batch[1]),
            batches,
            device=self._device,
        )
        scores = np.zeros(len(pairs), dtype=np.float64)
        for (places, _), logits in zip(batches, judged, strict=True):
            scores[places] = log_odds(logits, self._inference)[: len(places)]
        return scores.reshape(len(texts), len(self._hypotheses))

    @torch.inference_mode()
    def _forward(self, pairs: Sequence[Pair], *, length: int) -> FloatArray:
        """[R, C] logits; rows beyond the given pairs are blank and mean nothing."""
        size, ids = self._rows, [pair.ids for pair in pairs]
        pad_id = self._reader.pad_id
        read = {
            "input_ids": fill(ids, size=size, length=length, filler=pad_id),
            "attention_mask": attention(ids, size=size, length=length),
        }
        if self._has_types:
            types = [pair.types for pair in pairs]
            read["token_type_ids"] = fill(types, size=size, length=length, filler=0)
        given = {name: torch.from_numpy(rows).to(self._device) for name, rows in read.items()}
        logits: FloatArray = self._network(**given).logits.double().cpu().numpy()
        return logits


class _RowByRow(torch.nn.Module):
    """A linear layer whose sums run along each row alone.

    With so few outputs a matrix kernel takes some rows together and others one by one: in
    which order a row is added up then depends on its place.
    """

    def __init__(self, layer: torch.nn.Linear) -> None:
        super().__init__()
        self._weight = layer.weight
        # torch's types say that there always is one.
        self._bias: torch.Tensor | None = layer.bias

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """[R, H] to [R, C]."""
        sums = (rows[:, None, :] * self._weight).sum(dim=-1)
        return sums if self._bias is None else sums + self._bias


def _sum_row_by_row(network: torch.nn.Module, *, outputs: int) -> None:
    """Replace the layer that gives the outputs, whatever the family calls it."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, torch.nn.Linear) and child.out_features == outputs:
                setattr(module, name, _RowByRow(child))


def log_odds(logits: FloatArray, inference: Inference) -> FloatArray:
    """The log-odds of entailment against the outputs it is held against.

    Args:
        logits: [R, C].

    Returns:
        [R]; where nothing is held against it, the logit itself.
    """
    entailed = logits[:, inference.entailment]
    if not inference.against:
        return entailed
    against: FloatArray = np.logaddexp.reduce(logits[:, list(inference.against)], axis=1)
    odds: FloatArray = entailed - against
    return odds
