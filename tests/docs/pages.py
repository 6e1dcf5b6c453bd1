"""What a page of the documentation tells its reader to run, in order."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"^```(\S*)[ \t]*(.*)\n((?:.*\n)*?)^```$", re.MULTILINE)
# What differs from one run to the next; a page shows one of them.
VARIABLE = re.compile(
    r"(?P<id>\b(?:ds|job|model|teacher|evt|req)_[0-9A-HJKMNP-TV-Z]{26}\b)"
    r"|(?P<omitted>…)"
    r"|(?P<number>\d[\d,]*(?:\.\d+)?)"
    r"|(?P<space>\s+)"
)
PATTERNS = {
    "id": r"[a-z]+_[0-9A-HJKMNP-TV-Z]{26}",
    "omitted": r"[\s\S]*?",
    "number": r"\d[\d,]*(?:\.\d+)?(?:e-\d+)?",
    "space": r"\s+",
}


@dataclass(frozen=True)
class Snippet:
    """A fenced block.

    Attributes:
        language: first word behind the fence.
        name: what follows it: the file that the reader is told to write; else empty.
        line: where it begins, from 1.
    """

    language: str
    name: str
    body: str
    line: int


@dataclass(frozen=True)
class Command:
    """What stands behind a `$`, and what the page says that it prints."""

    text: str
    shown: str


def read_snippets(page: Path) -> list[Snippet]:
    """Every fenced block of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Snippet(found[1], found[2].strip(), found[3], text.count("\n", 0, found.start()) + 1)
        for found in FENCE.finditer(text)
    ]


def read_commands(console: str) -> Iterator[Command]:
    """The commands of a console, each with what is shown under it."""
    for part in re.split(r"^\$ ", console, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        size = next(
            (at for at, line in enumerate(lines, 1) if not _goes_on("\n".join(lines[:at]))),
            len(lines),
        )
        yield Command("\n".join(lines[:size]), "\n".join(lines[size:]).strip())


def shows(shown: str, printed: str) -> bool:
    """Whether a page's output is what was printed, whatever the ids, numbers and spaces are.

    An ellipsis stands for anything.
    """
    return re.search(_pattern(shown), printed) is not None


def _goes_on(text: str) -> bool:
    """Whether a shell would wait for more: the line is continued, or a quote is open."""
    return text.endswith("\\") or text.count("'") % 2 == 1


def _pattern(shown: str) -> str:
    parts, at = [], 0
    for found in VARIABLE.finditer(shown):
        parts.append(re.escape(shown[at : found.start()]))
        parts.append(PATTERNS[found.lastgroup or ""])
        at = found.end()
    return "".join([*parts, re.escape(shown[at:])])
