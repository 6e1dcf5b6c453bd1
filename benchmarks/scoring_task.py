"""What a local language model is asked in the benchmark: random weights, real words."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import cast

import torch
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from benchmarks.short_texts import short_texts
from demo.phrases import load_intents
from llkd.specs import Label
from llkd.teachers.causal_lm.frame import Frame, make_frame
from llkd.teachers.causal_lm.prompt import Prompt

LABELS = 5
INSTRUCTION = "Route the support ticket."
VOCABULARY = 32_000
HEAD_SIZE = 64
# Of Llama 2: the inner layer of a block against the outer one.
INNER_RATIO = 2.6875
# The tokenizer is trained on this many texts; more add no word.
TOKENIZER_TEXTS = 5_000


@dataclass(frozen=True)
class ScoringTask:
    """A model, its tokenizer, what stands around each text, and the texts."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    frame: Frame
    texts: list[str]

    def tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False).input_ids
        return ids


def make_task(
    *, texts: int, text_tokens: int, prefix_tokens: int, layers: int, hidden: int, seed: int
) -> ScoringTask:
    """A few-shot prompt at least as long as asked for, and texts of about that many tokens."""
    tokenizer = _tokenizer(seed)
    stream = short_texts(1_000_000, seed=seed + 1)
    return ScoringTask(
        model=_model(layers=layers, hidden=hidden, seed=seed),
        tokenizer=tokenizer,
        frame=_frame(tokenizer, stream, prefix_tokens=prefix_tokens),
        texts=[_text(tokenizer, stream, tokens=text_tokens) for _ in range(texts)],
    )


def _model(*, layers: int, hidden: int, seed: int) -> PreTrainedModel:
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=hidden,
            intermediate_size=int(INNER_RATIO * hidden),
            num_hidden_layers=layers,
            num_attention_heads=hidden // HEAD_SIZE,
            max_position_embeddings=8192,
            # Nothing ends before its time: every way does the work it is meant to do.
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    cast(torch.nn.Module, model).eval()
    return cast(PreTrainedModel, model)


def _tokenizer(seed: int) -> PreTrainedTokenizerBase:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    # A language model's tokenizer knows the words of a prompt, too.
    prompt = _prompt([()] * LABELS)
    words = chain(short_texts(TOKENIZER_TEXTS, seed=seed), [prompt.system, prompt.user("")])
    tokenizer.train_from_iterator(words, trainer)
    wrapped: PreTrainedTokenizerBase = PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer
    )
    return wrapped


def _frame(
    tokenizer: PreTrainedTokenizerBase, stream: Iterator[str], *, prefix_tokens: int
) -> Frame:
    """The fewest examples a label with which the prefix is long enough."""
    shown: list[list[str]] = [[] for _ in range(LABELS)]
    while True:
        for examples in shown:
            examples.append(next(stream))
        frame = make_frame(tokenizer, _prompt(shown))
        if len(tokenizer(frame.prefix).input_ids) >= prefix_tokens:
            return frame


def _prompt(shown: Sequence[Sequence[str]]) -> Prompt:
    """A task with these examples of each label."""
    labels = tuple(
        Label(name=intent.name, description=intent.description, examples=tuple(examples))
        for intent, examples in zip(load_intents()[:LABELS], shown, strict=True)
    )
    return Prompt(labels, INSTRUCTION, examples_per_label=len(shown[0]))


def _text(tokenizer: PreTrainedTokenizerBase, stream: Iterator[str], *, tokens: int) -> str:
    text = next(stream)
    while len(tokenizer(text).input_ids) < tokens:
        text = f"{text} {next(stream)}"
    return text
