"""How texts become token ids."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from llkd.model_folder import TOKENIZER, TOKENIZER_CONFIG, read_config
from llkd.types import BoolArray, IntArray

# A token of natural text is shorter than this, so the cut loses nothing that would be
# read; without it, one text of a megabyte would be tokenised whole and then thrown away.
CHARACTERS_A_TOKEN = 32


@dataclass(frozen=True)
class TokenRows:
    """N tokenised texts.

    Attributes:
        ids: N rows of token ids, each of at least one and at most `max_length`.
        truncated: [N], True where the text was longer than what is read of it.
    """

    ids: list[list[int]]
    truncated: BoolArray

    @property
    def count(self) -> int:
        """Tokens in all rows."""
        return sum(len(row) for row in self.ids)

    def batches(self, *, padded_tokens: int) -> Iterator[IntArray]:
        """Split the rows into batches of like length, so that little padding is computed.

        Args:
            padded_tokens: rows times longest row of a batch stay below this; a batch
                always holds at least one row.

        Yields:
            [n], indices of rows; each row once, the longest first, so that a batch too
            large for the device fails at once rather than at the end.
        """
        lengths = np.array([len(row) for row in self.ids])
        order = np.argsort(-lengths, kind="stable")
        start = 0
        while start < len(order):
            size = max(1, padded_tokens // int(lengths[order[start]]))
            yield order[start : start + size]
            start += size


class TextReader:
    """A fast (Rust) tokenizer that cuts at `max_length` and never pads by itself."""

    def __init__(self, folder: Path, *, max_length: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length)
        self._config = read_config(folder, TOKENIZER_CONFIG) if _has_config(folder) else {}
        self._character_limit = max_length * CHARACTERS_A_TOKEN
        self.pad_id = pad_id_of(self._tokenizer, folder)

    def read(self, texts: Sequence[str]) -> TokenRows:
        """Tokenise each text; an empty one is read as the special tokens alone."""
        limit = self._character_limit
        encodings = self._tokenizer.encode_batch_fast([text[:limit] for text in texts])
        truncated = [
            bool(encoding.overflowing) or len(text) > limit
            for text, encoding in zip(texts, encodings, strict=True)
        ]
        # A tokenizer without special tokens leaves nothing of an empty text, and a network
        # cannot read nothing: it reads one padding token.
        ids = [encoding.ids or [self.pad_id] for encoding in encodings]
        return TokenRows(ids, np.array(truncated, dtype=np.bool_))

    def save(self, folder: Path) -> None:
        """Write the tokenizer as it is used here, truncation and padding included."""
        self._tokenizer.save(str(folder / TOKENIZER))
        # Chat templates are named by files that a later load would write (CVE-2026-9856).
        config = {key: value for key, value in self._config.items() if key != "chat_template"}
        (folder / TOKENIZER_CONFIG).write_text(json.dumps(config, indent=2), encoding="utf-8")


def _has_config(folder: Path) -> bool:
    return (folder / TOKENIZER_CONFIG).is_file()


def pad_id_of(tokenizer: Tokenizer, folder: Path) -> int:
    """The id that fills a batch: the encoder's own, which some encoders do not embed."""
    configured = read_config(folder).get("pad_token_id")
    if isinstance(configured, int):
        return configured
    named = tokenizer.token_to_id("[PAD]")
    return 0 if named is None else int(named)
