"""Why may a model not score a tree of labels over a kept prefix?"""

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum

import numpy as np
import torch
from transformers import DynamicCache, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from llkd.teachers.causal_lm.full import FullScorer
from llkd.teachers.causal_lm.reading import Ids, Spelling
from llkd.teachers.causal_lm.tree import TreeScorer

# Attention that adds any mask it is given; others, flash attention among them, know only
# "causal", and would silently let texts see their neighbours.
_TAKES_ANY_MASK = frozenset({"sdpa", "eager"})

# Rotations of these kinds change for the whole prompt once it grows beyond a length, so
# that what was kept of a shorter one is no longer right.
_CHANGING_ROTATIONS = frozenset({"dynamic", "longrope"})

# How far two ways to the same log-probability may lie apart, in nats, and relatively. A
# mask that is not obeyed is off by far more than a 16-bit float's rounding.
_TOLERANCES = {torch.float32: (1e-4, 1e-4)}
_HALF_PRECISION_TOLERANCE = (0.25, 0.05)


class Obstacle(StrEnum):
    """What stands in the way of the tree, so that every label takes the whole prompt."""

    TOKENS = "tokens"
    """Prefix, text and label become other tokens together than apart."""

    CACHE = "cache"
    """Layers that forget: a sliding window, or a state instead of keys and values."""

    ATTENTION = "attention"
    """An attention that takes no mask of its own for every two tokens."""

    POSITIONS = "positions"
    """Positions that cannot be told, or that depend on the length of the prompt."""

    DISAGREEMENT = "disagreement"
    """The model was tried on a full pack, and scored it otherwise than by whole prompts."""


def find_obstacle(model: PreTrainedModel) -> Obstacle | None:
    """What a model's configuration says against the tree."""
    layers = DynamicCache(config=model.config).layers
    # Not their subclasses: those are the layers that forget.
    if not layers or any(type(layer) is not DynamicLayer for layer in layers):
        return Obstacle.CACHE
    # There is no public name for it.
    if model.config._attn_implementation not in _TAKES_ANY_MASK:  # noqa: SLF001
        return Obstacle.ATTENTION
    if _CHANGING_ROTATIONS.intersection(_rotations(model.config)):
        return Obstacle.POSITIONS
    return None


def agrees(
    tree: TreeScorer, full: FullScorer, *, texts: Sequence[Ids], spelling: Spelling, label: int
) -> bool:
    """Whether the first and the last of a pack's texts score as their whole prompts do.

    What a configuration does not tell shows here: positions that a model counts by itself,
    or a window of its own.

    Args:
        tree: on trial.
        full: right for every model.
        texts: equal texts, as many as fill a pack.
        spelling: the prompt of one of them, with one label.
        label: which one.

    Raises:
        TeacherOutOfMemory: one text alone is too much.
    """
    (expected,) = full.score(spelling)
    try:
        found = tree.score(texts)[[0, -1], label]
    except (RuntimeError, TypeError, ValueError, IndexError):
        # A model that cannot take the mask or the positions fails where it first uses them.
        return False
    absolute, relative = _TOLERANCES.get(full.dtype, _HALF_PRECISION_TOLERANCE)
    return bool(np.allclose(found, expected, atol=absolute, rtol=relative))


def _rotations(config: PretrainedConfig) -> Iterator[str]:
    """The kinds of rotary positions; different layers may have different ones."""
    waiting = [getattr(config.get_text_config(), "rope_parameters", None)]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Mapping):
            waiting.extend(current.values())
            if isinstance(kind := current.get("rope_type"), str):
                yield kind
