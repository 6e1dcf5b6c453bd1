"""What a model made of the prefix, kept while texts come and go."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from transformers import DynamicCache, PreTrainedModel


class PrefixCache:
    """Keys and values of the prefix in every layer."""

    def __init__(self, model: PreTrainedModel, prefix: Sequence[int]) -> None:
        """Let the model read a prefix of at least one token."""
        self._cache = DynamicCache(config=model.config)
        self._length = len(prefix)
        model(
            input_ids=torch.tensor([prefix], device=model.device),
            past_key_values=self._cache,
            use_cache=True,
            # Nothing is foretold here; a model computes at least the last row.
            logits_to_keep=1,
        )

    @contextmanager
    def lent(self) -> Iterator[DynamicCache]:
        """The cache, to which a forward appends; what it appended is cut off again."""
        try:
            yield self._cache
        finally:
            # Layer by layer: a forward that ran out of memory has reached only some.
            for layer in self._cache.layers:
                appended = layer.get_seq_length() - self._length
                if appended:
                    layer.crop(-appended)
