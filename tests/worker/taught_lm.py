"""A language model of a few kilobytes that can label the corpus of these tests."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from llkd.specs import Label
from llkd.teachers.causal_lm.frame import Frame, make_frame
from llkd.teachers.causal_lm.prompt import Prompt
from tests.llkd.tiny_lm import CHATML, make_model, make_tokenizer
from tests.worker.corpus import make_rows

STEPS = 70
BATCH = 16
LEARNING_RATE = 5e-3
# What is not learned from, as torch's cross entropy has it.
_IGNORED = -100


def write_taught_lm(folder: Path, labels: Sequence[Label]) -> Path:
    """Teach a random model to label, asked as the teacher asks without examples, and write it."""
    tokenizer = make_tokenizer(chat_template=CHATML)
    frame = make_frame(tokenizer, Prompt(tuple(labels)))
    names = [label.name for label in labels]
    rows = make_rows(STEPS * BATCH, gold=STEPS * BATCH, first=100_000)
    taught = [(row["text"], names.index(row["gold"])) for row in rows]
    batches = [
        _batch(tokenizer, frame, taught[start : start + BATCH])
        for start in range(0, len(taught), BATCH)
    ]
    model = make_model("llama", initializer_range=0.1).train()
    with _one_thread():
        _teach(model, batches)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _teach(model: PreTrainedModel, batches: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    for ids, targets in batches:
        loss = model(input_ids=ids, labels=targets).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


@contextmanager
def _one_thread() -> Iterator[None]:
    """So small a model is slower on several, and much slower on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _batch(
    tokenizer: PreTrainedTokenizerFast, frame: Frame, taught: Sequence[tuple[str, int]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """[B, T] tokens, filled up on the right, and [B, T] what is learned: the labels alone."""
    ids, targets = [], []
    for text, label in taught:
        prompt = tokenizer(frame.around(text), add_special_tokens=False).input_ids
        answer = tokenizer(frame.continuations[label], add_special_tokens=False).input_ids
        ids.append(torch.tensor(prompt + answer))
        targets.append(torch.tensor([_IGNORED] * len(prompt) + answer))
    pad = torch.nn.utils.rnn.pad_sequence
    return pad(ids, batch_first=True), pad(targets, batch_first=True, padding_value=_IGNORED)
