"""How a text and a hypothesis become the token ids of one input."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tokenizers import Tokenizer

from llkd.model_folder import TOKENIZER
from llkd.tokens import CHARACTERS_A_TOKEN, pad_id_of


@dataclass(frozen=True)
class Pair:
    """One tokenised pair.

    Attributes:
        ids: the text's tokens, then the hypothesis's, with special ones around them.
        types: of the same length: 0 for the text's, 1 for the hypothesis's, where the
            tokenizer tells them apart.
    """

    ids: list[int]
    types: list[int]


class PairReader:
    """A fast (Rust) tokenizer that cuts the text, never the hypothesis, and never pads."""

    def __init__(self, folder: Path, *, max_length: int) -> None:
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_length, strategy="only_first")
        self._character_limit = max_length * CHARACTERS_A_TOKEN
        self._max_length = max_length
        self.pad_id = pad_id_of(self._tokenizer, folder)

    def read(self, pairs: Sequence[tuple[str, str]]) -> list[Pair]:
        """Tokenise each text with its hypothesis, which `shortened` has made fit."""
        limit = self._character_limit
        encodings = self._tokenizer.encode_batch(
            [(text[:limit], hypothesis) for text, hypothesis in pairs]
        )
        return [Pair(encoding.ids, encoding.type_ids) for encoding in encodings]

    def shortened(self, hypothesis: str) -> str:
        """The beginning of a hypothesis that leaves half of the room to the text."""
        most = self._max_length // 2
        beginning = hypothesis[: self._character_limit]
        self._tokenizer.no_truncation()
        read = self._tokenizer.encode(beginning, add_special_tokens=False)
        self._tokenizer.enable_truncation(self._max_length, strategy="only_first")
        return beginning if len(read.ids) <= most else beginning[: read.offsets[most - 1][1]]
