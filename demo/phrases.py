"""The committed building blocks of the corpus: what intents say, and what surrounds it.

Every list has seen and held-out blocks. Training texts are made of seen ones alone, and every
test text has at least one held-out block, so none of them can have been memorised.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Blocks:
    """Alternatives for one place in a text, never empty."""

    seen: tuple[str, ...]
    held_out: tuple[str, ...]


@dataclass(frozen=True)
class Intent:
    """One class: how often it occurs (relative share) and how people voice it."""

    name: str
    share: int
    description: str
    examples: tuple[str, ...]
    # Whole sentences that ask for it; verb phrases for it; sentences in which it is history.
    asks: Blocks
    wants: Blocks
    contexts: Blocks


@dataclass(frozen=True)
class Frames:
    """What surrounds a request, whatever it is about."""

    greetings: Blocks
    openers: Blocks
    closings: Blocks
    asides: Blocks
    backgrounds: Blocks
    denials: Blocks
    first_wishes: Blocks
    turns: Blocks
    slots: Mapping[str, Blocks]


def load_intents() -> tuple[Intent, ...]:
    """All intents, the most frequent first."""
    intents = [_intent(_read(path)) for path in (HERE / "intents").glob("*.toml")]
    return tuple(sorted(intents, key=lambda intent: (-intent.share, intent.name)))


def load_frames() -> Frames:
    read = _read(HERE / "frames.toml")
    slots = {name: _blocks(entry) for name, entry in read.pop("slots").items()}
    return Frames(slots=slots, **{name: _blocks(entry) for name, entry in read.items()})


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _intent(read: dict[str, Any]) -> Intent:
    return Intent(
        name=read["name"],
        share=read["share"],
        description=read["description"],
        examples=tuple(read["examples"]),
        **{
            role: Blocks(tuple(read[role]), tuple(read[f"held_out_{role}"]))
            for role in ("asks", "wants", "contexts")
        },
    )


def _blocks(entry: dict[str, list[str]]) -> Blocks:
    return Blocks(tuple(entry["seen"]), tuple(entry["held_out"]))
