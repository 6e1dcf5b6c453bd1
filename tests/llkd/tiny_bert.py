"""A random BERT of a few kilobytes, and texts it can learn: real files, no download."""

import json
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertModel

from llkd.types import Pool

NOISE = [f"word{i}" for i in range(30)]
# Three classes, told by these words alone.
CLASS_WORDS = (["invoice", "refund"], ["crash", "error"], ["login", "password"])
_VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    *NOISE,
    *(word for words in CLASS_WORDS for word in words),
]
POSITIONS = 64


def write_tiny_bert(folder: Path, *, seed: int = 0) -> Path:
    """Write config, weights and tokenizer as a hub would hold them."""
    folder.mkdir(parents=True, exist_ok=True)
    config = BertConfig(
        vocab_size=len(_VOCABULARY),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=POSITIONS,
        pad_token_id=0,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    _tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]"}), encoding="utf-8"
    )
    return folder


def make_pool(
    size: int = 60, *, class_count: int = 3, seed: int = 0, confidence: float | None = None
) -> Pool:
    """Texts of noise with one telling word; confidences between .5 and 1 unless given."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, class_count, size)
    texts = []
    for label in labels:
        words = list(generator.choice(NOISE, int(generator.integers(1, 9))))
        words.insert(0, str(generator.choice(CLASS_WORDS[label])))
        texts.append(" ".join(words))
    known = generator.uniform(0.5, 1.0, size) if confidence is None else np.full(size, confidence)
    return Pool(texts, labels.astype(np.int64), known, class_count)


def _tokenizer() -> Tokenizer:
    vocabulary = {word: index for index, word in enumerate(_VOCABULARY)}
    tokenizer = Tokenizer(WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    # As the MiniLM release has it: a reader must undo both.
    tokenizer.enable_truncation(16)
    tokenizer.enable_padding(length=16)
    return tokenizer
