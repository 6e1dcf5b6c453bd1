"""A folder of a labelled data set, read as a user's unlabeled pile with a few gold examples.

The folder holds `train.jsonl` and `test.jsonl`, lines of {"text", "label"}, and
`labels.json`, a list of label names.
"""

import json
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


class NotAFolderOfOurs(Exception):
    """A file is missing, or a line of it is not what was agreed."""


@dataclass(frozen=True)
class Gold:
    text: str
    label: str


@dataclass(frozen=True)
class Task:
    """What a job gets: `pool` without labels, `examples` of each label, `test` with gold.

    `pool_gold` is for judging a teacher alone.
    """

    name: str
    labels: tuple[str, ...]
    examples: dict[str, tuple[str, ...]]
    pool: tuple[str, ...]
    pool_gold: tuple[str, ...]
    test: tuple[Gold, ...]


def read_task(
    folder: Path, *, per_class: int, seed: int, limit: int | None = None, split: str = "test"
) -> Task:
    """Draw `per_class` gold examples of each label from train; the rest is the pool.

    A text is never both an example and in the pool, nor in the pool and in test. A label
    with fewer texts gives what it has. `limit` cuts a random part of the pool, not the test.
    `split` names the file that takes the place of test, such as "validation".

    Raises:
        NotAFolderOfOurs: the folder cannot be read as described above.
    """
    labels = _labels(folder / "labels.json")
    test = _golds(folder / f"{split}.jsonl", labels)
    train = _golds(folder / "train.jsonl", labels)
    held_back = {_key(gold.text) for gold in test}
    rng = random.Random(seed)
    rng.shuffle(train)
    examples: dict[str, list[str]] = defaultdict(list)
    pool: list[Gold] = []
    seen: set[str] = set()
    for gold in train:
        key = _key(gold.text)
        if key in seen or key in held_back:
            continue
        seen.add(key)
        if len(examples[gold.label]) < per_class:
            examples[gold.label].append(gold.text)
        else:
            pool.append(gold)
    drawn = {label: tuple(examples[label]) for label in labels}
    pool = pool[:limit]
    return Task(
        name=folder.name,
        labels=labels,
        examples=drawn,
        pool=tuple(each.text for each in pool),
        pool_gold=tuple(each.label for each in pool),
        test=tuple(test),
    )


def write_uploads(task: Task, folder: Path) -> tuple[Path, Path]:
    """Write the pool, texts alone, and the test with its gold; returns both paths."""
    pool, test = folder / "pool.jsonl", folder / "test.jsonl"
    _write_lines(pool, [{"text": text} for text in task.pool])
    _write_lines(test, [asdict(gold) for gold in task.test])
    return pool, test


def _key(text: str) -> str:
    return " ".join(text.split())


def _labels(path: Path) -> tuple[str, ...]:
    names = json.loads(_read(path))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise NotAFolderOfOurs(f"{path} is not a list of label names")
    return tuple(names)


def _golds(path: Path, labels: Sequence[str]) -> list[Gold]:
    golds = []
    # Not splitlines(): a text may hold U+2028, which JSON allows inside a string.
    for number, line in enumerate(_read(path).rstrip("\n").split("\n"), start=1):
        try:
            entry = json.loads(line)
            gold = Gold(entry["text"], entry["label"])
        except (ValueError, KeyError, TypeError) as error:
            raise NotAFolderOfOurs(f"{path}, line {number}: {error!r}") from error
        if gold.label not in labels:
            raise NotAFolderOfOurs(f"{path}, line {number}: label {gold.label!r} is not declared")
        golds.append(gold)
    return golds


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotAFolderOfOurs(f"{path}: {error.strerror}") from error


def _write_lines(path: Path, entries: Sequence[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
