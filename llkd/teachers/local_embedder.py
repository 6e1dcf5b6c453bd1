"""Texts to vectors with a local encoder: the same bits for a text whatever stands beside it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast

import numpy as np
import torch
from transformers import AutoModel, PreTrainedModel

from llkd.model_folder import token_limit
from llkd.side_by_side import side_by_side
from llkd.teachers.equal_shapes import ROWS, attention, fill, like_lengths
from llkd.tokens import TextReader
from llkd.types import FloatArray

# Sentence encoders are trained on short texts; the first 256 tokens say what a text is about.
MAX_LENGTH = 256


class LocalEmbedder:
    """Mean of the token vectors at three depths, each scaled to length 1, in float32."""

    def __init__(
        self, encoder: PreTrainedModel, reader: TextReader, *, device: torch.device
    ) -> None:
        # transformers' own `eval` and `to` have no types; torch's, which they wrap, do.
        module = cast(torch.nn.Module, encoder)
        module.eval().to(device)
        self._encoder = encoder
        self._reader = reader
        self._device = device
        self._rows = ROWS[device.type]
        self._layers = _depths(int(encoder.config.num_hidden_layers))

    @classmethod
    def from_folder(cls, folder: Path) -> Self:
        """Load a model that `llkd.base_models.locate` found safe, onto the GPU if there is one."""
        encoder = AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
        )
        readable = min(MAX_LENGTH, token_limit(folder) or MAX_LENGTH)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(encoder, TextReader(folder, max_length=readable), device=device)

    def embed(self, texts: Sequence[str]) -> FloatArray:
        """Embed N texts, in order: [N, L, H], a third, two thirds and all the way up."""
        rows = self._reader.read(texts).ids
        width = int(self._encoder.config.hidden_size)
        vectors = np.zeros((len(texts), len(self._layers), width), dtype=np.float64)
        batches = list(like_lengths(rows, size=self._rows))
        embedded = side_by_side(
            lambda batch: self._forward([rows[place] for place in batch[0]], length=batch[1]),
            batches,
            device=self._device,
        )
        for (places, _), found in zip(batches, embedded, strict=True):
            vectors[places] = found[: len(places)]
        return vectors

    @torch.inference_mode()
    def _forward(self, rows: Sequence[Sequence[int]], *, length: int) -> FloatArray:
        """[R, L, H] unit vectors; rows beyond the given ones are blank and mean nothing."""
        size = self._rows
        ids = fill(rows, size=size, length=length, filler=self._reader.pad_id)
        mask = attention(rows, size=size, length=length)
        attended = torch.from_numpy(mask).to(self._device)
        states = self._encoder(
            input_ids=torch.from_numpy(ids).to(self._device),
            attention_mask=attended,
            output_hidden_states=True,
        ).hidden_states
        chosen = torch.stack([states[layer] for layer in self._layers], dim=1)  # [R, L, T, H]
        weights = attended[:, None, :, None].to(chosen.dtype)
        pooled = (chosen * weights).sum(dim=2) / weights.sum(dim=2)
        vectors: FloatArray = torch.nn.functional.normalize(pooled, dim=-1).double().cpu().numpy()
        return vectors


def _depths(layer_count: int) -> list[int]:
    """A third, two thirds and all of the layers, each once, ascending; 0 is below the first."""
    return sorted({-(-layer_count * third // 3) for third in (1, 2, 3)})
