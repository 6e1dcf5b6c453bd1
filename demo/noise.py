"""How people really type: registers and slips of the finger."""

import random
import re

CHAT_WORDS = {
    "please": "pls",
    "you": "u",
    "your": "ur",
    "are": "r",
    "thanks": "thx",
    "because": "cuz",
    "tomorrow": "tmrw",
    "do not": "dont",
    "cannot": "cant",
    "I am": "im",
    "with": "w/",
    "something": "smth",
    "order": "ordr",
    "message": "msg",
}
CHAT_WORD = re.compile(rf"\b({'|'.join(map(re.escape, CHAT_WORDS))})\b")
KEYBOARD_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")

CONTRACTIONS = {"do not": "don't", "I am": "I'm", "cannot": "can't", "it is": "it's"}
REGISTERS = {"plain": 40, "chatty": 25, "angry": 10, "contracted": 25}


def in_some_register(text: str, rng: random.Random) -> str:
    """The same text as another person would write it."""
    match rng.choices(list(REGISTERS), weights=list(REGISTERS.values()))[0]:
        case "chatty":
            return _chatty(text, rng)
        case "angry":
            return _angry(text, rng)
        case "contracted":
            return _contracted(text)
        case _:
            return text


def with_typos(text: str, rng: random.Random, *, rate: float) -> str:
    """Damage about `rate` of the words (0 to 1) that have four letters or more."""
    return " ".join(
        _slip(word, rng) if len(word) >= 4 and word.isalpha() and rng.random() < rate else word
        for word in text.split(" ")
    )


def _slip(word: str, rng: random.Random) -> str:
    position = rng.randrange(1, len(word) - 1)
    before, letter, after = word[:position], word[position], word[position + 1 :]
    return rng.choice(
        (
            f"{before}{after}",
            f"{before}{letter}{letter}{after}",
            f"{before}{after[0]}{letter}{after[1:]}",
            f"{before}{_neighbour(letter, rng)}{after}",
        )
    )


def _neighbour(letter: str, rng: random.Random) -> str:
    for row in KEYBOARD_ROWS:
        if letter in row:
            position = row.index(letter)
            return rng.choice(
                row[max(0, position - 1) : position] + row[position + 1 : position + 2]
            )
    return letter


def _chatty(text: str, rng: random.Random) -> str:
    """Lower case, short forms, hardly a full stop."""
    shortened = CHAT_WORD.sub(lambda found: CHAT_WORDS[found[0]], text)
    return shortened.lower().replace(". ", rng.choice([" ", ", ", " ... "])).rstrip(".")


def _angry(text: str, rng: random.Random) -> str:
    """A few words shouted, the end doubled."""
    words = text.split(" ")
    for position in rng.sample(range(len(words)), k=min(2, len(words))):
        words[position] = words[position].upper()
    return " ".join(words).rstrip(".?") + rng.choice(["!!", "!", "?!", "!!!"])


def _contracted(text: str) -> str:
    for written, spoken in CONTRACTIONS.items():
        text = text.replace(written, spoken)
    return text
