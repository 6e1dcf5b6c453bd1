"""Why may a model not score a tree of labels over a kept prefix?"""

from collections.abc import Iterator, Mapping
from enum import StrEnum

from transformers import DynamicCache, PretrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer

# Attention that adds any mask it is given; others, flash attention among them, know only
# "causal", and would silently let texts see their neighbours.
_TAKES_ANY_MASK = frozenset({"sdpa", "eager"})

# Rotations of these kinds change for the whole prompt once it grows beyond a length, so
# that what was kept of a shorter one is no longer right.
_CHANGING_ROTATIONS = frozenset({"dynamic", "longrope"})


class Obstacle(StrEnum):
    """What stands in the way of the tree, so that a slower way is taken."""

    TOKENS = "tokens"
    """Prefix, text and label become other tokens together than apart."""

    CACHE = "cache"
    """Layers that forget: a sliding window, or a state instead of keys and values."""

    ATTENTION = "attention"
    """An attention that takes no mask of its own for every two tokens."""

    POSITIONS = "positions"
    """Positions that cannot be told, or that depend on the length of the prompt."""

    DISAGREEMENT = "disagreement"
    """Tried on a full pack, the model scored it otherwise than by whole prompts."""


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


def _rotations(config: PretrainedConfig) -> Iterator[str]:
    """The kinds of rotary positions; different layers may have different ones."""
    waiting = [getattr(config.get_text_config(), "rope_parameters", None)]
    while waiting:
        current = waiting.pop()
        if isinstance(current, Mapping):
            waiting.extend(current.values())
            if isinstance(kind := current.get("rope_type"), str):
                yield kind
