"""Five ways to ask a local language model for one of K labels."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.scoring_task import ScoringTask
from llkd.teachers.causal_lm.copied import CopyScorer
from llkd.teachers.causal_lm.foretold import log_probabilities
from llkd.teachers.causal_lm.label_trie import LabelTrie, make_trie
from llkd.teachers.causal_lm.packing import Pack, lay_out
from llkd.teachers.causal_lm.reading import PromptReader
from llkd.teachers.causal_lm.tree import TreeScorer
from llkd.types import BoolArray, FloatArray, IntArray

# Full prompts in one batch; more fit no cache of a CPU, fewer were no faster.
PROMPTS_A_BATCH = 4
TOKEN_BUDGET = 1024

Way = Callable[[ScoringTask], FloatArray | None]


@torch.inference_mode()
def whole_prompt_a_label(task: ScoringTask) -> FloatArray:
    """[N, K] log-probabilities, one forward for every text and label."""
    found = np.zeros((len(task.texts), len(task.frame.continuations)))
    for row, text in enumerate(task.texts):
        prompt = task.frame.around(text)
        start = len(task.tokens(prompt))
        for column, continuation in enumerate(task.frame.continuations):
            ids = task.tokens(prompt + continuation)
            steps = np.arange(start, len(ids))
            logits = task.model(
                input_ids=torch.tensor([ids[:-1]]),
                use_cache=False,
                logits_to_keep=torch.from_numpy(steps - 1),
            ).logits[0]
            asked = np.array(ids[start:])
            found[row, column] = log_probabilities(logits, rows=steps - start, tokens=asked).sum()
    return found


@torch.inference_mode()
def generated_answer(task: ScoringTask) -> None:
    """One greedy answer a text, as long as a label with its end is on average.

    It gives no probabilities. A random model never ends by itself, so the length is set.
    """
    # transformers' own `generate` has no types.
    generate: Any = task.model.generate
    lengths = [len(task.tokens(end)) for end in task.frame.continuations]
    for text in task.texts:
        ids = torch.tensor([task.tokens(task.frame.around(text))])
        generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=round(float(np.mean(lengths))),
            do_sample=False,
            pad_token_id=0,
        )


@torch.inference_mode()
def batched_prompts_with_tree(task: ScoringTask) -> FloatArray:
    """[N, K] log-probabilities: whole prompts side by side in a batch, labels as a tree."""
    prompts = [task.tokens(task.frame.around(text)) for text in task.texts]
    trie = _trie(task)
    found = [
        _batch(
            task,
            [lay_out([ids], trie, prefix=0) for ids in prompts[start:][:PROMPTS_A_BATCH]],
            trie,
        )
        for start in range(0, len(prompts), PROMPTS_A_BATCH)
    ]
    return np.concatenate(found)


def copied_prefix(task: ScoringTask) -> FloatArray:
    """[N, K] log-probabilities, as the service finds them for models whose layers forget."""
    reader = PromptReader(task.tokenizer, task.frame)
    scorer = CopyScorer(task.model, reader.head, _trie(task))
    start = len(reader.head)
    return scorer.score([reading.ids[start:] for reading in reader.read(task.texts)])


def packed_over_kept_prefix(task: ScoringTask) -> FloatArray:
    """[N, K] log-probabilities, as the service finds them; the prefix is read here, too."""
    reader = PromptReader(task.tokenizer, task.frame)
    scorer = TreeScorer(task.model, reader.head, _trie(task), token_budget=TOKEN_BUDGET)
    start = len(reader.head)
    return scorer.score([reading.ids[start:] for reading in reader.read(task.texts)])


WAYS: dict[str, Way] = {
    "whole prompt for every label": whole_prompt_a_label,
    "whole prompt, generate": generated_answer,
    "whole prompts batched, label tree": batched_prompts_with_tree,
    "prefix kept, copied for each text": copied_prefix,
    "prefix kept, texts packed, label tree": packed_over_kept_prefix,
}
NAIVE, GENERATE, *_, OURS = WAYS


def _trie(task: ScoringTask) -> LabelTrie:
    labels = PromptReader(task.tokenizer, task.frame).continuations
    assert labels is not None, "the benchmark's tokenizer keeps words apart"
    return make_trie(labels)


def _batch(task: ScoringTask, packs: Sequence[Pack], trie: LabelTrie) -> FloatArray:
    """[B, K] from B prompts with their trees, padded on the right to one length."""
    longest = max(len(pack.tokens) for pack in packs)
    ids, positions, sees = _padded(packs, longest)
    mask = torch.zeros(sees.shape).masked_fill_(~torch.from_numpy(sees), torch.finfo().min)
    logits = task.model(
        input_ids=torch.from_numpy(ids),
        attention_mask=mask[:, None],
        position_ids=torch.from_numpy(positions),
        use_cache=False,
        logits_to_keep=torch.from_numpy(np.stack([pack.asked for pack in packs])),
    ).logits  # [B, M + 1, V]
    found = np.zeros((len(packs), trie.label_count))
    for row in range(len(packs)):
        steps = log_probabilities(logits[row], rows=trie.row, tokens=trie.token)
        np.add.at(found[row], trie.label, steps)
    return found


def _padded(packs: Sequence[Pack], longest: int) -> tuple[IntArray, IntArray, BoolArray]:
    """[B, T] tokens, [B, T] positions, [B, T, T] who sees whom; padding sees itself."""
    ids = np.zeros((len(packs), longest), dtype=np.int64)
    positions = np.zeros_like(ids)
    sees = np.broadcast_to(np.eye(longest, dtype=np.bool_), (len(packs), longest, longest)).copy()
    for row, pack in enumerate(packs):
        size = len(pack.tokens)
        ids[row, :size], positions[row, :size] = pack.tokens, pack.positions
        sees[row, :size, :size] = pack.sees
    return ids, positions, sees
