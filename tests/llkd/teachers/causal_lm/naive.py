"""What the scores have to be, in the plainest way: one sequence at a time, no cache."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from llkd.types import FloatArray


@torch.inference_mode()
def naive_scores(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: str,
    continuations: Sequence[str],
) -> FloatArray:
    """[K] log-probabilities: prompt and label tokenized as one, every token's logits in full.

    Where a label's tokens reach back into the prompt, all labels are counted from the first
    token in which any of them differs from the prompt.
    """
    asked = tokenizer(prompt, add_special_tokens=False).input_ids
    rows = [tokenizer(prompt + end, add_special_tokens=False).input_ids for end in continuations]
    start = min(
        next((i for i in range(len(asked)) if row[i] != asked[i]), len(asked)) for row in rows
    )
    return np.array([_sum(model, row, start) for row in rows])


def _sum(model: PreTrainedModel, row: Sequence[int], start: int) -> float:
    logits = model(input_ids=torch.tensor([row])).logits[0].double()
    steps = logits.log_softmax(dim=-1)
    return float(sum(steps[place - 1, row[place]] for place in range(start, len(row))))
