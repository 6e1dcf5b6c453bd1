"""Which way to the scores is open to a model, a tokenizer and a frame?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from transformers import PreTrainedModel

from llkd.teachers.causal_lm.copied import CopyScorer
from llkd.teachers.causal_lm.full import FullScorer
from llkd.teachers.causal_lm.label_trie import make_trie
from llkd.teachers.causal_lm.obstacles import Obstacle, find_obstacle
from llkd.teachers.causal_lm.reading import Ids, PromptReader, Spelling
from llkd.teachers.causal_lm.scores import ScoringPath
from llkd.teachers.causal_lm.tree import TreeScorer
from llkd.types import FloatArray

# How far two ways to the same log-probability may lie apart, in nats, and relatively. A
# mask that is not obeyed is off by far more than a 16-bit float's rounding.
_TOLERANCES = {torch.float32: (1e-4, 1e-4)}
_HALF_PRECISION_TOLERANCE = (0.25, 0.05)

# What a copied prefix is no answer to: it, too, needs tokens that stand apart, and
# positions that do not change as the prompt grows.
_NOT_COPIED = frozenset({Obstacle.TOKENS, Obstacle.POSITIONS})


class PrefixScorer(Protocol):
    """Scores texts over a prefix that it keeps."""

    def score(self, texts: Sequence[Ids]) -> FloatArray:
        """[N, K] log-probabilities of each label after each text's tokens."""
        ...


@dataclass(frozen=True)
class Way:
    """How most texts are scored.

    Attributes:
        path: its name.
        scorer: what goes it; None where every label takes the whole prompt.
        obstacle: what stands in the fastest way; None where that one is taken.
    """

    path: ScoringPath
    scorer: PrefixScorer | None
    obstacle: Obstacle | None


def choose_way(
    model: PreTrainedModel, reader: PromptReader, *, longest: int | None, token_budget: int
) -> Way:
    """The fastest way that the model's configuration allows, and that scores as whole prompts do.

    Each candidate is tried on a made-up text first. What a configuration does not tell shows
    there: positions that a model counts by itself, or a window of its own.

    Args:
        longest: tokens that a prompt may have; None for no limit.
        token_budget: the most tokens in one forward of several texts.

    Raises:
        TeacherOutOfMemory: one text alone is too much.
    """
    trial = _Trial.of(model, reader, longest=longest)
    if trial is None:
        return Way(ScoringPath.FULL_PROMPT, None, Obstacle.TOKENS)
    trie = make_trie(trial.labels)
    obstacle = find_obstacle(model)
    if obstacle is None:
        fill = max(2, token_budget // (len(trial.text) + len(trie)))
        tree = trial.passed_by(
            lambda: TreeScorer(model, reader.head, trie, token_budget=token_budget), texts=fill
        )
        if tree is not None:
            return Way(ScoringPath.PREFIX_TREE, tree, None)
        obstacle = Obstacle.DISAGREEMENT
    if obstacle not in _NOT_COPIED:
        copied = trial.passed_by(lambda: CopyScorer(model, reader.head, trie), texts=2)
        if copied is not None:
            return Way(ScoringPath.PREFIX_COPY, copied, obstacle)
    return Way(ScoringPath.FULL_PROMPT, None, obstacle)


@dataclass(frozen=True)
class _Trial:
    """A made-up text, and what its longest label scores after the whole prompt.

    The longest goes deepest into the tree; each label takes as long as a whole prompt.

    Attributes:
        text: its tokens, without the prefix's.
        labels: K rows of tokens.
        label: index of the longest.
        expected: its log-probability.
        dtype: what the model computes in.
    """

    text: Ids
    labels: list[Ids]
    label: int
    expected: float
    dtype: torch.dtype

    @classmethod
    def of(
        cls, model: PreTrainedModel, reader: PromptReader, *, longest: int | None
    ) -> "_Trial | None":
        """None where no text's tokens stand apart from those around them, or fit the model."""
        labels = reader.continuations
        if labels is None or not reader.head:
            return None
        probe = next(
            (
                reading.ids
                for reading in reader.probes
                if reading.is_apart and (longest is None or len(reading.ids) <= longest)
            ),
            None,
        )
        if probe is None:
            return None
        label = max(range(len(labels)), key=lambda place: len(labels[place]))
        (expected,) = FullScorer(model).score(Spelling([probe + labels[label]], len(probe)))
        return cls(probe[len(reader.head) :], labels, label, float(expected), model.dtype)

    def passed_by(self, make: Callable[[], PrefixScorer], *, texts: int) -> PrefixScorer | None:
        """The scorer, if the first and the last of so many equal texts score as they should."""
        try:
            scorer = make()
            found = scorer.score([self.text] * texts)[[0, -1], self.label]
        except (AttributeError, IndexError, RuntimeError, TypeError, ValueError):
            # A model that cannot take the mask or the cache fails where it first uses them.
            return None
        absolute, relative = _TOLERANCES.get(self.dtype, _HALF_PRECISION_TOLERANCE)
        agrees = np.allclose(found, self.expected, atol=absolute, rtol=relative)
        return scorer if agrees else None
