"""What a model made of the prefix, kept while texts come and go."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from llkd.errors import TeacherOutOfMemory


class PrefixCache:
    """Keys and values of the prefix in every layer."""

    @torch.inference_mode()
    def __init__(self, model: PreTrainedModel, prefix: Sequence[int]) -> None:
        """Let the model read a prefix of at least one token.

        Raises:
            TeacherOutOfMemory: the prefix alone is too long for the memory.
        """
        self._cache = DynamicCache(config=model.config)
        self._length = len(prefix)
        try:
            model(
                input_ids=torch.tensor([prefix], device=model.device),
                past_key_values=self._cache,
                use_cache=True,
                # Nothing is foretold here; a model computes at least the last row.
                logits_to_keep=1,
            )
        except torch.OutOfMemoryError as error:
            raise TeacherOutOfMemory(
                f"the memory does not hold what the model reads before every text: "
                f"{len(prefix)} tokens"
            ) from error

    @contextmanager
    def lent(self) -> Iterator[DynamicCache]:
        """The cache, to which a forward appends; what it appended is cut off again."""
        try:
            yield self._cache
        finally:
            # Layer by layer: a forward that ran out of memory has reached only some.
            for layer in self._cache.layers:
                assert isinstance(layer, DynamicLayer), "layers that forget are an obstacle"
                appended = layer.get_seq_length() - self._length
                if appended:
                    layer.crop(-appended)

    def copied(self) -> DynamicCache:
        """A cache of one's own, for layers from which nothing can be cut off again."""
        return copy.deepcopy(self._cache)
