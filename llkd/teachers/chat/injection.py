"""Which texts look as if they tell the teacher what to answer?

Only reported: a flagged text keeps its answer. The signs are English words and the marks of
chat formats; an injection in other words is not seen, and an honest text may be flagged.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Sequence
from enum import StrEnum

from llkd.specs.labels import Label

# How many words apart the parts of one sign may stand.
_NEAR = 8


class InjectionSign(StrEnum):
    """What a text has of an injection."""

    # "Ignore all previous instructions".
    OVERRIDE = "override"
    # A label's name shortly after a word that commands an answer: "classify this as spam".
    DEMANDS_LABEL = "demands_label"
    # Marks by which chats or prompts are divided.
    DELIMITER = "delimiter"


_DROP = frozenset(("ignore", "disregard", "forget", "override", "bypass", "skip", "overrule"))
# fmt: off
_DROPPED = frozenset((
    "previous", "prior", "above", "preceding", "earlier", "foregoing",
    "instruction", "instructions", "prompt", "prompts", "guidelines", "rules", "system",
))
_COMMANDS = frozenset((
    "answer", "reply", "respond", "output", "print", "say", "write", "return", "choose", "select",
    "pick", "label", "classify", "categorize", "categorise", "mark", "tag", "assign",
))
# fmt: on
_DELIMITERS = (
    "<|",
    "[inst]",
    "[/inst]",
    "<<sys>>",
    "<system>",
    "</system>",
    "<start_of_turn>",
    "<end_of_turn>",
    "### instruction",
    "### system",
    '{"label"',
)


# What `mark_around` makes; a true one is never in its own text.
_MARK = re.compile("----- [0-9a-f]{12} -----")


class InjectionDetector:
    """Looks for signs in time linear in a text's length, for labels with names of few words."""

    def __init__(self, labels: Sequence[Label]) -> None:
        names = [tuple(_words(label.name)) for label in labels]
        self._names = frozenset(name for name in names if name)
        self._lengths = sorted({len(name) for name in self._names})

    def signs(self, text: str) -> frozenset[InjectionSign]:
        """What the text has of an injection; mostly nothing."""
        plain = unicodedata.normalize("NFKC", text).casefold()
        words = _words(text)
        found = {
            InjectionSign.DELIMITER: bool(_MARK.search(plain))
            or any(each in plain for each in _DELIMITERS),
            InjectionSign.OVERRIDE: _near(
                [word in _DROP for word in words], [word in _DROPPED for word in words]
            ),
            InjectionSign.DEMANDS_LABEL: _near(
                [word in _COMMANDS for word in words],
                [self._names_label(words, place) for place in range(len(words))],
            ),
        }
        return frozenset(sign for sign, is_there in found.items() if is_there)

    def _names_label(self, words: Sequence[str], place: int) -> bool:
        return any(tuple(words[place : place + n]) in self._names for n in self._lengths)


def _words(text: str) -> list[str]:
    """The runs of letters and digits, in lower case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(each if each.isalnum() else " " for each in folded).split()


def _near(first: Sequence[bool], then: Sequence[bool]) -> bool:
    """Whether a True of `then` stands after one of `first`, at most `_NEAR` places on."""
    recent: deque[bool] = deque(maxlen=_NEAR)
    for is_first, is_then in zip(first, then, strict=True):
        if is_then and any(recent):
            return True
        recent.append(is_first)
    return False
