"""Which code stands for which label: not the same for every text."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from llkd.specs.labels import Label
from llkd.teachers.chat.codes import choose_codes
from llkd.types import Question

# Models prefer some letters and some places in a list. Over four decks a label stands at
# four places far apart, so that no label gains by its own; more decks would be more
# prompts for a server to keep.
MOST_DECKS = 4


@dataclass(frozen=True)
class Deck:
    """One way to hand out the codes.

    Attributes:
        number: 0 for the first.
        codes: K codes; the one at a label's index stands for that label.
        order: label indices in the order of their codes, which is the order they are told in.
    """

    number: int
    codes: tuple[str, ...]
    order: tuple[int, ...]


def deal(labels: Sequence[Label]) -> tuple[Deck, ...]:
    """Hand out the codes in several ways; each label gets another code in each.

    The first order is drawn by the labels' hashes: it says nothing of the order in which
    they were given, and does not change with it. Each further deck turns that order by
    another part of a full turn.

    Returns:
        min(K, `MOST_DECKS`) decks.
    """
    codes = choose_codes([label.name for label in labels])
    count = min(len(labels), MOST_DECKS)
    drawn = _drawn(labels)
    decks = []
    for number in range(count):
        turn = number * len(labels) // count
        order = drawn[turn:] + drawn[:turn]
        code_of = dict(zip(order, codes, strict=True))
        decks.append(Deck(number, tuple(code_of[i] for i in range(len(labels))), tuple(order)))
    return tuple(decks)


def deck_number(text: str, *, count: int) -> int:
    """The deck that a text is asked with, the same one each time."""
    return int.from_bytes(digest(text)[:8], "big") % count


def order_by_deck(questions: Sequence[Question], *, count: int) -> list[Question]:
    """The same questions, those of one deck side by side.

    A server that keeps what it made of a prompt's beginning then needs it for one deck at
    a time. Within a deck the order stays.
    """
    return sorted(questions, key=lambda asked: deck_number(asked.text, count=count))


def digest(*parts: str) -> bytes:
    """Sha256 of some texts; half a surrogate pair, which cannot be encoded, has one, too."""
    # JSON writes such a half as an escape, and tells ("ab", "c") from ("a", "bc").
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def _drawn(labels: Sequence[Label]) -> list[int]:
    said = [json.dumps([label.name, label.description, *label.examples]) for label in labels]
    every = json.dumps(sorted(said))
    return sorted(range(len(labels)), key=lambda i: digest(every, said[i]))
