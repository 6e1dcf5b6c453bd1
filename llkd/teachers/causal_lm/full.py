"""The whole prompt again for every label: right for every model, and slow."""

import numpy as np
import torch
from transformers import PreTrainedModel

from llkd.errors import TeacherOutOfMemory
from llkd.teachers.causal_lm.foretold import log_probabilities
from llkd.teachers.causal_lm.reading import Spelling
from llkd.types import FloatArray


class FullScorer:
    """Scores one text by one forward a label.

    One sequence at a time, without a cache, a mask or padding: nothing of a model's
    attention is taken for granted, and a text has the same bits in any company.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._model = model

    @property
    def dtype(self) -> torch.dtype:
        """What the model computes in."""
        return self._model.dtype

    def score(self, spelling: Spelling) -> FloatArray:
        """[K] log-probabilities, in nats, of what each row has after the shared tokens.

        Raises:
            TeacherOutOfMemory: one sequence alone is too much.
        """
        try:
            return np.array([self._row(row, shared=spelling.shared) for row in spelling.whole])
        except torch.OutOfMemoryError as error:
            longest = max(len(row) for row in spelling.whole)
            raise TeacherOutOfMemory(
                f"the memory does not hold one prompt of {longest} tokens beside the model"
            ) from error

    @torch.inference_mode()
    def _row(self, row: list[int], *, shared: int) -> float:
        device = self._model.device
        # The last token is asked for, never read.
        steps = np.arange(shared, len(row))
        logits = self._model(
            input_ids=torch.tensor([row[:-1]], device=device),
            use_cache=False,
            logits_to_keep=torch.from_numpy(steps - 1).to(device),
        ).logits[0]  # [S, V]
        found = log_probabilities(logits, rows=steps - shared, tokens=np.array(row[shared:]))
        return float(found.sum())
