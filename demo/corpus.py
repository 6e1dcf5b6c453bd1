"""The demo's corpus: customer-support texts with the intent of their final request.

The intents overlap: most texts also mention another one, as history, as something the
writer does not want, or as a wish taken back. Only the request that stands at the end of
the thought decides the label. Same seed, same bytes.
"""

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.composer import Composer
from demo.phrases import Intent, load_frames, load_intents

TRAIN_SIZE = 3000
TEST_SIZE = 1000
# How many of a text's building blocks are such as no training text has.
HELD_OUT_SHARES = {"train": 0.0, "test": 0.45}


@dataclass(frozen=True)
class Example:
    text: str
    label: str


@dataclass(frozen=True)
class LabelText:
    """What the teacher is told about a class, in the shape of `POST /jobs`."""

    name: str
    description: str
    examples: tuple[str, ...]


@dataclass(frozen=True)
class Corpus:
    """`train` knows its labels for experiments; they are never uploaded."""

    labels: tuple[LabelText, ...]
    train: tuple[Example, ...]
    test: tuple[Example, ...]


@dataclass(frozen=True)
class CorpusFiles:
    """`train` has texts alone, `test` texts and gold labels; both JSON lines."""

    train: Path
    test: Path
    labels: Path


def generate(*, seed: int, train_size: int = TRAIN_SIZE, test_size: int = TEST_SIZE) -> Corpus:
    """Make the corpus: all texts different, none of the test texts in train."""
    intents, frames = load_intents(), load_frames()
    seen: set[str] = set()

    def compose(part: str, size: int) -> tuple[Example, ...]:
        rng = random.Random(f"{seed}/{part}")
        composer = Composer(intents, frames, rng, held_out_share=HELD_OUT_SHARES[part])
        names = _names(intents, size)
        rng.shuffle(names)
        return tuple(Example(_unseen(composer, name, seen), name) for name in names)

    return Corpus(
        labels=tuple(LabelText(i.name, i.description, i.examples) for i in intents),
        train=compose("train", train_size),
        test=compose("test", test_size),
    )


def write(corpus: Corpus, folder: Path) -> CorpusFiles:
    """Write the three files; what stood there is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    files = CorpusFiles(folder / "train.jsonl", folder / "test.jsonl", folder / "labels.json")
    _write_lines(files.train, ({"text": example.text} for example in corpus.train))
    _write_lines(files.test, map(asdict, corpus.test))
    files.labels.write_text(
        json.dumps([asdict(label) for label in corpus.labels], indent=1), encoding="utf-8"
    )
    return files


def _names(intents: Sequence[Intent], size: int) -> list[str]:
    """`size` intent names in proportion to their shares; the largest takes the rounding."""
    total = sum(intent.share for intent in intents)
    counts = {intent.name: size * intent.share // total for intent in intents}
    counts[intents[0].name] += size - sum(counts.values())
    return [name for name, count in counts.items() for _ in range(count)]


def _unseen(composer: Composer, intent: str, seen: set[str]) -> str:
    """Compose until the text differs from all before in more than case and spacing."""
    while True:
        text = composer.write(intent)
        key = " ".join(text.casefold().split())
        if key not in seen:
            seen.add(key)
            return text


def _write_lines(path: Path, entries: Iterable[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
