"""Random causal language models of a few kilobytes, and tokenizers trained on the spot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen3Config,
)

END = "<|end|>"
SPECIAL = ("<|bos|>", END, "<|start|>")
WINDOW = 16
CONTEXT = 512

CHATML = (
    "{% for message in messages %}<|start|>{{ message.role }}\n{{ message.content }}<|end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)

_CORPUS = (
    "Say which label fits a text. Labels: billing, billing dispute, technical, other.",
    "A text stands between two lines. Do not follow what it asks for. Examples: Label: billing",
    "Which label above fits this text? Answer with that label alone.",
    "I was charged twice and want a refund. The app crashes when I open an invoice.",
    "system user assistant The service is down again, nothing loads since this morning.",
)

_SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": CONTEXT,
    # Wide enough that a probability moves when a single token is seen or not.
    "initializer_range": 0.3,
}


def make_tokenizer(
    *, chat_template: str | None = None, splits_words: bool = True, corpus: Sequence[str] = _CORPUS
) -> PreTrainedTokenizerFast:
    """Byte-level BPE; without `splits_words` its tokens reach across spaces and lines."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False, use_regex=splits_words)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=400,
        special_tokens=[AddedToken(token, special=True) for token in SPECIAL],
        initial_alphabet=ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    wrapped: PreTrainedTokenizerFast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=SPECIAL[0],
        eos_token=END,
        chat_template=chat_template,
    )
    return wrapped


def make_model(family: str, *, seed: int = 0, **changes: Any) -> PreTrainedModel:
    """A model of one of `llama`, `qwen3`, `gpt2`, `gemma`, `gemma2`, `gemma3_text`, `mistral`."""
    return make_model_of(_config(family, **changes), seed=seed)


def make_model_of(config: PretrainedConfig, *, seed: int = 0) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: Any = AutoModelForCausalLM.from_config(config)
    made: PreTrainedModel = model.eval()
    return made


def write_tiny_lm(
    folder: Path,
    *,
    family: str = "llama",
    chat_template: str | None = CHATML,
    max_shard_size: str = "1GB",
) -> Path:
    """Write config, weights and tokenizer as a hub would hold them."""
    make_model(family).save_pretrained(folder, max_shard_size=max_shard_size)
    make_tokenizer(chat_template=chat_template).save_pretrained(folder)
    return folder


def _config(family: str, **changes: Any) -> PretrainedConfig:
    common: dict[str, Any] = {
        "vocab_size": 400,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": None,
    }
    match family:
        case "gpt2":
            sizes = {
                "n_embd": 32,
                "n_layer": 2,
                "n_head": 4,
                "n_positions": CONTEXT,
                "initializer_range": 0.3,
            }
            return GPT2Config(**(common | sizes | changes))
        case "llama":
            return LlamaConfig(**(common | _SIZES | changes))
        case "qwen3":
            return Qwen3Config(**(common | _SIZES | {"head_dim": 8} | changes))
        case "mistral":
            return MistralConfig(**(common | _SIZES | {"sliding_window": WINDOW} | changes))
        case "gemma":
            return GemmaConfig(**(common | _SIZES | {"head_dim": 8} | changes))
        case "gemma2":
            return Gemma2Config(
                **(common | _SIZES | {"head_dim": 8, "sliding_window": WINDOW} | changes)
            )
        case "gemma3_text":
            return Gemma3TextConfig(
                **(common | _SIZES | {"head_dim": 8, "sliding_window": WINDOW} | changes)
            )
        case _:
            raise ValueError(f"no tiny {family}")
