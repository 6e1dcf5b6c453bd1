"""A random classifier of pairs of sentences, of a few kilobytes: real files, no download."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    PreTrainedModel,
)

from tests.llkd.tiny_bert import POSITIONS, write_tiny_bert

NLI = ("contradiction", "neutral", "entailment")
FAMILIES = ("bert", "distilbert")


def write_tiny_inference(
    folder: Path, *, outputs: Sequence[str] = NLI, family: str = "bert", seed: int = 0
) -> Path:
    """Write config, weights and tokenizer of a classifier with these outputs.

    A `bert` tells two sentences apart by types; a `distilbert` knows none.
    """
    write_tiny_bert(folder)
    _pair_tokenizer(folder / "tokenizer.json")
    names = dict(enumerate(outputs))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network: Any = _network(family, names, words=_words(folder))
        network.save_pretrained(folder)
    return folder


def _network(family: str, names: dict[int, str], *, words: int) -> PreTrainedModel:
    # Larger than usual weights: a random network then tells pairs apart plainly.
    spread: dict[str, Any] = {"initializer_range": 0.5, "id2label": names, "pad_token_id": 0}
    if family == "distilbert":
        return DistilBertForSequenceClassification(
            DistilBertConfig(
                vocab_size=words,
                dim=32,
                n_layers=2,
                n_heads=2,
                hidden_dim=64,
                max_position_embeddings=POSITIONS,
                **spread,
            )
        )
    return BertForSequenceClassification(
        BertConfig(
            vocab_size=words,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=POSITIONS,
            **spread,
        )
    )


def _words(folder: Path) -> int:
    return Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab_size()


def _pair_tokenizer(path: Path) -> None:
    """Let the tokenizer put [SEP] between two sentences, as an inference model's does."""
    tokenizer = Tokenizer.from_file(str(path))
    vocabulary = tokenizer.get_vocab()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    tokenizer.save(str(path))


def with_architecture(folder: Path, *names: str) -> Path:
    """The same folder, its configuration naming these architectures."""
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "architectures": list(names)}))
    return folder
