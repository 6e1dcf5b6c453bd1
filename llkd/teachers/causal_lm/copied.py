"""One text and its labels after a copy of what was made of the prefix."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from transformers import DynamicCache, PreTrainedModel

from llkd.errors import TeacherOutOfMemory
from llkd.teachers.causal_lm.foretold import log_probabilities
from llkd.teachers.causal_lm.label_trie import LabelTrie
from llkd.teachers.causal_lm.prefix_cache import PrefixCache
from llkd.types import FloatArray, IntArray

# Labels side by side; each needs the keys and values of prefix and text once more.
_LABELS_AT_ONCE = 16


class CopyScorer:
    """Scores texts over one prefix where what a text appended cannot be cut off again.

    Layers with a sliding window forget what came first. So each text gets a copy of the
    prefix, and goes through the model as any prompt's end does: no mask of ours, no
    positions of ours. Then the labels follow, side by side in a batch.
    """

    def __init__(self, model: PreTrainedModel, prefix: Sequence[int], trie: LabelTrie) -> None:
        """Read the prefix.

        Args:
            model: a causal language model.
            prefix: P tokens, at least one.
            trie: the labels.

        Raises:
            TeacherOutOfMemory: the prefix alone is too long for the memory.
        """
        self._model = model
        self._trie = trie
        self._at_once = _LABELS_AT_ONCE
        self._prefix = PrefixCache(model, prefix)

    def score(self, texts: Sequence[Sequence[int]]) -> FloatArray:
        """[N, K] log-probabilities of each label after each of N rows of tokens.

        Raises:
            TeacherOutOfMemory: one text alone is too much.
        """
        found = [self._score(text) for text in texts]
        return np.array(found).reshape(-1, self._trie.label_count)

    def _score(self, text: Sequence[int]) -> FloatArray:
        """[K], with fewer labels side by side after each time that memory ends."""
        while True:
            try:
                return self._after(text)
            except torch.OutOfMemoryError as error:
                if self._at_once == 1:
                    raise TeacherOutOfMemory(
                        f"the memory does not hold one text of {len(text)} tokens beside the model"
                    ) from error
                self._at_once //= 2

    @torch.inference_mode()
    def _after(self, text: Sequence[int]) -> FloatArray:
        trie = self._trie
        cache = self._prefix.copied()
        first = self._forward([text], cache, keep=1)[0]  # [1, V]
        steps = np.zeros(len(trie.token))
        after_text = np.flatnonzero(trie.row == 0)
        steps[after_text] = log_probabilities(
            first, rows=np.zeros(len(after_text), dtype=np.int64), tokens=trie.token[after_text]
        )
        for start in range(0, len(trie.branches), self._at_once):
            some = trie.branches[start : start + self._at_once]
            self._follow(some, copy.deepcopy(cache), steps)
        sums = np.zeros(trie.label_count)
        np.add.at(sums, trie.label, steps)
        return sums

    def _follow(self, branches: Sequence[IntArray], cache: DynamicCache, steps: FloatArray) -> None:
        """Let the model read some branches after the text, and note what it foretold on them."""
        trie = self._trie
        cache.batch_repeat_interleave(len(branches))
        logits = self._forward([trie.tokens[branch] for branch in branches], cache, keep=0)
        for branch, row in zip(branches, logits, strict=True):
            # A step after token m of the tree belongs to row m + 1.
            on_it = np.flatnonzero(np.isin(trie.row, branch + 1))
            depths = trie.depths[trie.row[on_it] - 1]
            steps[on_it] = log_probabilities(row, rows=depths, tokens=trie.token[on_it])

    def _forward(
        self, rows: Sequence[Sequence[int] | IntArray], cache: DynamicCache, *, keep: int
    ) -> torch.Tensor:
        """[B, T, V] logits of the last `keep` places, or of all for 0.

        Rows are filled up on the right: what comes later is seen by none before it.
        """
        longest = max(map(len, rows))
        ids = np.zeros((len(rows), longest), dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
        logits: torch.Tensor = self._model(
            input_ids=torch.from_numpy(ids).to(self._model.device),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=keep,
        ).logits
        return logits
