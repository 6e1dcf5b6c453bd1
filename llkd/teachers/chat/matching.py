"""Which label does a reply name? Strictly one, or none: nothing is guessed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from llkd.specs.base import label_key
from llkd.specs.labels import Label
from llkd.teachers.chat.decks import Deck

_QUOTES = "\"'`"
_FENCE = "```"


@dataclass(frozen=True)
class Options:
    """What may be answered to one question: the labels under one deck's codes."""

    labels: tuple[Label, ...]
    deck: Deck

    @cached_property
    def _by_code(self) -> dict[str, int]:
        return {label_key(code): index for index, code in enumerate(self.deck.codes)}

    @cached_property
    def _by_name(self) -> dict[str, int]:
        return {label_key(label.name): index for index, label in enumerate(self.labels)}

    def named_by(self, text: str) -> int | None:
        """The label whose code or name the text is; letter case, width and edges do not matter."""
        index = self.coded_by(text)
        return self._by_name.get(label_key(text)) if index is None else index

    def coded_by(self, text: str) -> int | None:
        """The label whose code the text is.

        One full stop at the end, and then one pair of equal quotes, may stand around it.
        """
        bare = label_key(text).removesuffix(".")
        if len(bare) > 2 and bare[0] == bare[-1] and bare[0] in _QUOTES:
            bare = bare[1:-1]
        return self._by_code.get(bare)

    def token_of(self, token: str) -> int | None:
        """The label whose code a token is, blanks at its edges aside.

        Here letter case counts: "a" begins a sentence sooner than it answers one.
        """
        return self._by_token.get(token.strip())

    @cached_property
    def _by_token(self) -> dict[str, int]:
        return {code: index for index, code in enumerate(self.deck.codes)}


def json_object(text: str, *, keys: Sequence[str]) -> dict[str, object] | None:
    """The JSON object that a text is, if it has exactly these keys, each once.

    One code fence around the whole of it is taken off. Nothing is repaired.
    """
    try:
        pairs = json.loads(_unfenced(text.strip()), object_pairs_hook=_Pairs)
    # Depth without end, and numbers without end, are errors of Python's own.
    except (ValueError, RecursionError):
        return None
    if not isinstance(pairs, _Pairs) or sorted(key for key, _ in pairs) != sorted(keys):
        return None
    return dict(pairs)


class _Pairs(list[tuple[str, object]]):
    """An object's pairs as they stand: a key that comes twice is seen."""


def _unfenced(text: str) -> str:
    if not (text.startswith(_FENCE) and text.endswith(_FENCE) and len(text) > 2 * len(_FENCE)):
        return text
    return text[len(_FENCE) : -len(_FENCE)].removeprefix("json")
