"""How a text becomes token ids, without transformers: the tokenizer.json alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from tokenizers import Tokenizer

from llkd.tokens import CHARACTERS_A_TOKEN
from llkd.types import IntArray


@dataclass(frozen=True)
class Tokens:
    """One text as its model reads it.

    Attributes:
        ids: 1 to max_length token ids.
        truncated: whether some of the text was left out.
    """

    ids: tuple[int, ...]
    truncated: bool

    def __len__(self) -> int:
        return len(self.ids)


class TokenReader:
    """Reads texts up to a number of tokens; the same ids whatever texts stand beside them."""

    def __init__(self, tokenizer: Tokenizer, *, max_length: int, pad_id: int) -> None:
        # Published files carry paddings and lengths of their own (MiniLM's: always 128).
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_length)
        self._tokenizer = tokenizer
        self._pad_id = pad_id
        # The same cut as in training: a tokenizer's time grows with the text, what is kept
        # of it does not.
        self._most_characters = CHARACTERS_A_TOKEN * max_length

    @classmethod
    def from_file(cls, path: Path, *, max_length: int, pad_id: int) -> Self:
        return cls(Tokenizer.from_file(str(path)), max_length=max_length, pad_id=pad_id)

    def read(self, text: str) -> Tokens:
        """Tokenize one text; the empty string is the tokenizer's frame of special tokens.

        Half a surrogate pair, which no encoding can carry, is read as a question mark.
        """
        kept = text[: self._most_characters].encode("utf-8", "replace").decode("utf-8")
        # A batch of one: `encode_batch_fast` frees the interpreter while it works, which
        # `encode` does not, and starts no threads for a single text.
        (encoding,) = self._tokenizer.encode_batch_fast([kept])
        # A tokenizer without special tokens makes nothing of the empty string; one padding
        # token, attended to, gives the model something to answer on.
        ids = tuple(encoding.ids) or (self._pad_id,)
        cut = len(text) > self._most_characters or bool(encoding.overflowing)
        return Tokens(ids, truncated=cut)

    def pad(self, batch: Sequence[Tokens], *, rows: int, width: int) -> tuple[IntArray, IntArray]:
        """Lay texts side by side: ids and mask, [rows, width] each; the first text fills up rows.

        Args:
            rows: at least as many as texts.
            width: at least the longest one's tokens.
        """
        ids = np.full((rows, width), self._pad_id, dtype=np.int64)
        mask = np.zeros((rows, width), dtype=np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens.ids
            mask[row, : len(tokens)] = 1
        # A row without a token would be divided by nothing.
        ids[len(batch) :], mask[len(batch) :] = ids[0], mask[0]
        return ids, mask
