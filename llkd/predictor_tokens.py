"""How a text becomes token ids, without transformers: the tokenizer.json alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from tokenizers import Tokenizer

from llkd.long_texts import LongTexts, head_and_tail, leaves_gaps, window_starts
from llkd.tokens import CHARACTERS_A_TOKEN
from llkd.types import IntArray


@dataclass(frozen=True)
class Tokens:
    """One input of a model: a text, or a window of one.

    Attributes:
        ids: 1 to max_length token ids.
        truncated: whether some of the text was left out, by all of its windows together.
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
        self._before, self._after = _frame(tokenizer)
        # Where special tokens leave no room at all, a window still has to move.
        self._room = max(1, max_length - len(self._before) - len(self._after))
        self.max_length = max_length
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
        kept = _encodable(text[: self._most_characters])
        # A batch of one: `encode_batch_fast` frees the interpreter while it works, which
        # `encode` does not, and starts no threads for a single text.
        (encoding,) = self._tokenizer.encode_batch_fast([kept])
        # A tokenizer without special tokens makes nothing of the empty string; one padding
        # token, attended to, gives the model something to answer on.
        ids = tuple(encoding.ids) or (self._pad_id,)
        cut = len(text) > self._most_characters or bool(encoding.overflowing)
        return Tokens(ids, truncated=cut)

    def read_windows(self, text: str, *, long_texts: LongTexts) -> tuple[Tokens, ...]:
        """Tokenize one text into the windows that its answer is averaged over, one at least.

        A text that fits into one window is read the same in all three ways. `sliding_mean`
        and `head_tail` tokenize all of a longer one, which takes time as it grows.
        """
        head = self.read(text)
        if long_texts == "head" or not head.truncated:
            return (head,)
        body = self._body(text)
        if long_texts == "head_tail":
            cut = len(body) > self._room
            return (self._framed(head_and_tail(body, room=self._room), truncated=cut),)
        starts = window_starts(len(body), room=self._room)
        gaps = leaves_gaps(starts, room=self._room)
        return tuple(
            self._framed(body[start : start + self._room], truncated=gaps) for start in starts
        )

    def _body(self, text: str) -> list[int]:
        """All tokens of the text, without special ones."""
        (encoding,) = self._tokenizer.encode_batch_fast(
            [_encodable(text)], add_special_tokens=False
        )
        # The tokenizer cuts at max_length by itself; what it cut off stands beside, in order.
        body = list(encoding.ids)
        for rest in encoding.overflowing:
            body.extend(rest.ids)
        return body

    def _framed(self, body: Sequence[int], *, truncated: bool) -> Tokens:
        ids = (*self._before, *body, *self._after)
        return Tokens(ids or (self._pad_id,), truncated=truncated)

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


def _encodable(text: str) -> str:
    """The text with half surrogate pairs as question marks: no encoding can carry them."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _frame(tokenizer: Tokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The special tokens that stand before and behind every text."""
    (framed,) = tokenizer.encode_batch_fast(["a"])
    (bare,) = tokenizer.encode_batch_fast(["a"], add_special_tokens=False)
    whole, body = list(framed.ids), list(bare.ids)
    for place in range(len(whole) - len(body) + 1):
        if whole[place : place + len(body)] == body:
            return tuple(whole[:place]), tuple(whole[place + len(body) :])
    # A window of hardly any token: the frame alone fills it.
    return tuple(whole), ()
