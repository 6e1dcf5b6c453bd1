"""Many texts and all labels in one forward, over a prefix that was read once."""

from collections.abc import Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from llkd.errors import TeacherOutOfMemory
from llkd.teachers.causal_lm.foretold import log_probabilities
from llkd.teachers.causal_lm.label_trie import LabelTrie
from llkd.teachers.causal_lm.packing import Pack, lay_out, split_by_budget
from llkd.teachers.causal_lm.prefix_cache import PrefixCache
from llkd.types import FloatArray


class TreeScorer:
    """Scores texts over one prefix.

    A text and the tree of all labels go through the model together, several texts side by
    side. Who may look at whom is said by a mask of its own for every two tokens, and where
    each token stands by explicit positions, so that every label's scores are those of the
    plain prompt with this label after it: exactly so in real numbers, and in floating point
    but for the order in which sums are taken.

    Source: tree attention, Miao et al. (2023), SpecInfer, arXiv 2305.09781; here the tree
    holds labels in place of guesses.
    """

    def __init__(
        self, model: PreTrainedModel, prefix: Sequence[int], trie: LabelTrie, *, token_budget: int
    ) -> None:
        """Read the prefix.

        Args:
            model: a causal language model for which `obstacles.find_obstacle` finds none.
            prefix: P tokens, at least one.
            trie: the labels.
            token_budget: Q, the most tokens in a pack, trees included; a pack holds at
                least one text. It halves whenever memory ends.

        Raises:
            TeacherOutOfMemory: the prefix alone is too long for the memory.
        """
        self._model = model
        self._trie = trie
        self._prefix = len(prefix)
        self._budget = token_budget
        self._cache = PrefixCache(model, prefix)

    def score(self, texts: Sequence[Sequence[int]]) -> FloatArray:
        """[N, K] log-probabilities of each label after each of N rows of tokens.

        Raises:
            TeacherOutOfMemory: one text alone is too much.
        """
        found: list[FloatArray] = []
        while len(found) < len(texts):
            waiting = texts[len(found) :]
            sizes = [len(text) + len(self._trie) for text in waiting]
            first = next(split_by_budget(sizes, budget=self._budget))
            try:
                found += self._forward(waiting[first])
            except torch.OutOfMemoryError as error:
                self._halve(sizes[first], error)
        return np.array(found).reshape(-1, self._trie.label_count)

    def _halve(self, sizes: Sequence[int], error: torch.OutOfMemoryError) -> None:
        if len(sizes) == 1:
            raise TeacherOutOfMemory(
                f"the memory does not hold one text of {sizes[0]} tokens beside the model"
            ) from error
        # Later packs keep to it: what did not fit once would not fit again.
        self._budget = sum(sizes) // 2

    @torch.inference_mode()
    def _forward(self, texts: Sequence[Sequence[int]]) -> list[FloatArray]:
        """N rows of K log-probabilities."""
        pack = lay_out(texts, self._trie, prefix=self._prefix)
        device = self._model.device
        with self._cache.lent() as cache:
            logits = self._model(
                input_ids=torch.from_numpy(pack.tokens).to(device)[None],
                attention_mask=_additive_mask(pack, dtype=self._model.dtype, device=device),
                position_ids=torch.from_numpy(pack.positions).to(device)[None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=torch.from_numpy(pack.asked).to(device),
            ).logits[0]  # [N * (M + 1), V]
        return list(self._labels(logits, count=len(texts)))

    def _labels(self, logits: torch.Tensor, *, count: int) -> FloatArray:
        """[N, K] sums over each label's steps."""
        trie = self._trie
        offsets = np.arange(count)[:, None] * (len(trie) + 1)
        steps = log_probabilities(
            logits,
            rows=(offsets + trie.row).ravel(),
            tokens=np.broadcast_to(trie.token, (count, len(trie.token))).ravel(),
        ).reshape(count, -1)
        sums = np.zeros((count, trie.label_count))
        np.add.at(sums.T, trie.label, steps.T)
        return sums


def _additive_mask(pack: Pack, *, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """[1, 1, Q, P + Q]: 0 where a token may look, else so low that nothing is left of it."""
    sees = torch.from_numpy(pack.sees).to(device)
    mask = torch.zeros(sees.shape, dtype=dtype, device=device)
    # Not minus infinity: some kernels make of it what is not a number.
    return mask.masked_fill_(~sees, torch.finfo(dtype).min)[None, None]
