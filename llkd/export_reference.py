"""What does a saved student answer in float32 on the CPU, whatever it was trained on?"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from llkd.calibration import softmax
from llkd.students.saved import Saved
from llkd.types import FloatArray


def saved_student(trained: Path) -> Callable[[Sequence[str]], FloatArray]:
    """Load what `Student.save_model` wrote as a function of N texts to [N, K] probabilities.

    A student on a GPU answers in bfloat16, some thousandths away from what it has learnt;
    this one is exact enough to hold an export against.
    """
    saved = Saved.load(trained)
    network, reader = saved.network, saved.reader

    def answer(texts: Sequence[str]) -> FloatArray:
        logits = np.zeros((len(texts), network.class_count))
        with torch.inference_mode():
            for row, ids in enumerate(reader.read(texts).ids):
                tokens = torch.tensor([ids], dtype=torch.int64)
                logits[row] = network(tokens, torch.ones_like(tokens))[0].numpy()
        return softmax(logits)

    return answer
