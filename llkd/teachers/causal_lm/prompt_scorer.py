"""From a prompt and raw texts to label scores, with a model of a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch

from llkd.teachers.causal_lm.frame import make_frame
from llkd.teachers.causal_lm.loading import LoadedModel, load_causal_lm
from llkd.teachers.causal_lm.obstacles import Obstacle
from llkd.teachers.causal_lm.prompt import Prompt
from llkd.teachers.causal_lm.scorer import LabelScorer
from llkd.teachers.causal_lm.scores import LabelScores


class PromptScorer:
    """Puts each text into a prompt, without what would break out of it, and scores the labels."""

    def __init__(self, loaded: LoadedModel, prompt: Prompt) -> None:
        """Nothing is read yet.

        Raises:
            TeacherUnusable: the model's chat template cannot hold the prompt.
        """
        self._prompt = prompt
        self._frame = make_frame(loaded.tokenizer, prompt)
        self._scorer = LabelScorer(loaded.model, loaded.tokenizer, self._frame)

    @classmethod
    def from_folder(
        cls, folder: Path, prompt: Prompt, *, dtype: torch.dtype, device: torch.device
    ) -> Self:
        """Load a model that `llkd.base_models.locate` found safe.

        Raises:
            ModelNotAllowed: weights are missing.
            TeacherOutOfMemory: the device does not hold the weights.
            TeacherUnusable: the model's chat template cannot hold the prompt.
        """
        return cls(load_causal_lm(folder, dtype=dtype, device=device), prompt)

    @property
    def obstacle(self) -> Obstacle | None:
        """Why every text takes the slow path; None where most need not."""
        return self._scorer.obstacle

    def score(self, texts: Sequence[str]) -> list[LabelScores | None]:
        """Score N texts of valid Unicode, in order; None for one longer than the model reads.

        Raises:
            TeacherOutOfMemory: one text alone is too much.
            TeacherUnusable: the tokenizer cannot tell the labels apart.
        """
        defuse, quote = self._frame.control.defuse, self._prompt.quote
        return self._scorer.score([defuse(quote(text)) for text in texts])
