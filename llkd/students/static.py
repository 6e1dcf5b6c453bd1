"""The network of a static student: a vector a token, their mean, one linear layer.

It has no attention, so it knows no order of words and no context: a text costs a look-up
and a sum. Its vectors come from an encoder that reads each token alone; source of that
start: Model2Vec (MinishLab, 2024). That they learn, and how, is as in fastText (Joulin et
al. 2016).
"""

import json
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from llkd.model_folder import CONFIG, TOKENIZER
from llkd.students.encoder import EncoderClassifier
from llkd.students.network import WEIGHTS, Network

# Directions of the encoder's vectors that are kept, those of the greatest variance.
DIMENSIONS = 256
_DROPOUT = 0.1
_TOKENS_AT_ONCE = 256


class StaticClassifier(Network):
    """The weighted mean of a text's token vectors, normalised, and one linear layer.

    Args:
        vectors: [V, D], one a token of the vocabulary.
    """

    kind = "static"

    def __init__(self, vectors: Tensor, *, class_count: int) -> None:
        super().__init__()
        vocabulary, dimensions = vectors.shape
        self.vectors = nn.Embedding(vocabulary, dimensions, _weight=vectors)
        # Its exponential is a token's weight: all alike at first.
        self.log_weights = nn.Embedding(vocabulary, 1, _weight=torch.zeros(vocabulary, 1))
        self.norm = nn.LayerNorm(dimensions)
        self.dropout = nn.Dropout(_DROPOUT)
        self.head = nn.Linear(dimensions, class_count)

    @classmethod
    def from_base(cls, folder: Path, *, class_count: int, seed: int, device: torch.device) -> Self:
        """Start from the vectors that a base model has for each token of its vocabulary.

        The head depends on the seed alone, so equal seeds give equal students.

        Args:
            folder: a base model that `llkd.base_models.locate` found safe.
            device: where the encoder reads the vocabulary.

        Raises:
            ModelNotAllowed: the weights do not fit the configuration.
        """
        encoder = EncoderClassifier.from_base(folder, class_count=class_count, seed=seed)
        model = cls(_starting_vectors(encoder, folder, device), class_count=class_count)
        model.begin_head(seed=seed)
        return model

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, in evaluation mode."""
        config = json.loads((folder / CONFIG).read_bytes())
        vectors = torch.empty(config["vocab_size"], config["hidden_size"])
        model = cls(vectors, class_count=config["class_count"])
        model.load_state_dict(load_file(folder / WEIGHTS))
        return model.eval()

    def save_config(self, folder: Path) -> None:
        """Write a config.json with the network's shape."""
        vocabulary, dimensions = self.vectors.weight.shape
        config = {
            "model_type": "llkd-static",
            "vocab_size": vocabulary,
            "hidden_size": dimensions,
            "class_count": self.class_count,
        }
        (folder / CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, K] logits."""
        weights = self.log_weights(input_ids).exp() * attention_mask.unsqueeze(-1)  # [B, T, 1]
        total = weights.sum(dim=1).clamp(min=1e-9)
        mean = (self.vectors(input_ids) * weights).sum(dim=1) / total  # [B, D]
        logits: Tensor = self.head(self.dropout(self.norm(mean)))
        return logits.float()


def _starting_vectors(encoder: EncoderClassifier, folder: Path, device: torch.device) -> Tensor:
    """[V, D]: what the encoder makes of each token alone, centred, in as few directions, of
    length 1 on average."""
    vectors = _read_vocabulary(encoder, folder, device)
    vectors -= vectors.mean(dim=0)
    _, directions = torch.linalg.eigh((vectors.T @ vectors).double())
    kept = vectors @ directions[:, -DIMENSIONS:].float()
    found: Tensor = kept / kept.norm(dim=1).mean()
    return found


@torch.no_grad()
def _read_vocabulary(encoder: EncoderClassifier, folder: Path, device: torch.device) -> Tensor:
    """[V, H], the mean of the last hidden states over a token within the tokenizer's frame."""
    encoder.to(device).eval()
    backbone = encoder.backbone
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    # Published files carry paddings of their own (MiniLM's: always 128).
    tokenizer.no_padding()
    frame = tokenizer.encode("").ids
    before, after = frame[: len(frame) // 2], frame[len(frame) // 2 :]
    size = backbone.config.vocab_size
    parts = []
    for start in range(0, size, _TOKENS_AT_ONCE):
        tokens = torch.arange(start, min(start + _TOKENS_AT_ONCE, size), device=device)
        columns = [torch.full_like(tokens, each) for each in before]
        columns += [tokens, *(torch.full_like(tokens, each) for each in after)]
        ids = torch.stack(columns, dim=1)
        states = backbone(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        parts.append(states.float().mean(dim=1).cpu())
    return torch.cat(parts)
