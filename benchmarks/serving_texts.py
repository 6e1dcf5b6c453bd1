"""The texts that servers are asked about: labelled, and as long as real short texts are."""

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from tokenizers import Tokenizer

from benchmarks.gold_folder import Gold, read_task
from benchmarks.serving_figures import percentile
from demo import corpus

LABELS = 5
# Tokens of a text, a log-normal with a mean of 42 and a 95th percentile of 89.
LOG_TOKENS, LOG_SPREAD = 3.59, 0.55
# Of MiniLM's tokenizer on the demo's corpus, beside the two around a text.
TOKENS_A_WORD = 1.23


@dataclass(frozen=True)
class ServingTexts:
    """Labels, texts to train a student on, and others to ask about."""

    labels: tuple[str, ...]
    train: tuple[Gold, ...]
    asked: tuple[str, ...]


def generated(*, train: int, asked: int, seed: int) -> ServingTexts:
    """Customer-support texts of five intents, whose lengths follow the distribution above."""
    rng = random.Random(seed)
    made = corpus.generate(seed=seed)
    labels = tuple(label.name for label in made.labels[:LABELS])
    return ServingTexts(
        labels,
        train=tuple(_stretched(made.train, labels, train, rng)),
        asked=tuple(gold.text for gold in _stretched(made.test, labels, asked, rng)),
    )


def from_folder(folder: Path, *, train: int, asked: int, seed: int) -> ServingTexts:
    """Texts of a folder of `real_input.py`'s kind, in an order of the seed.

    Raises:
        NotAFolderOfOurs: a file is missing or wrong.
    """
    task = read_task(folder, per_class=0, seed=seed, limit=train)
    pool = zip(task.pool, task.pool_gold, strict=False)
    tested = random.Random(seed).sample(task.test, min(asked, len(task.test)))
    return ServingTexts(
        task.labels,
        train=tuple(Gold(text, label) for text, label in pool),
        asked=tuple(gold.text for gold in tested),
    )


def lengths_said(texts: Sequence[str], tokenizer_file: Path) -> str:
    """How many texts there are, and how long they are for this tokenizer."""
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    lengths = [len(tokenizer.encode(text).ids) for text in texts]
    return (
        f"{len(texts)} texts of {mean(lengths):.0f} tokens on average, 95th percentile "
        f"{percentile(lengths, 0.95):.0f}."
    )


def _stretched(
    examples: Sequence[corpus.Example], labels: Sequence[str], count: int, rng: random.Random
) -> Iterator[Gold]:
    """Texts cut from, or put together of, examples of one label."""
    of_label = _by_label(examples, labels)
    for number in range(count):
        label = labels[number % len(labels)]
        wanted = max(2, round((rng.lognormvariate(LOG_TOKENS, LOG_SPREAD) - 2) / TOKENS_A_WORD))
        words: list[str] = []
        while len(words) < wanted:
            words += rng.choice(of_label[label]).split()
        # Of an example the end decides its label, so the beginning is what is cut.
        yield Gold(" ".join(words[-wanted:]), label)


def _by_label(
    examples: Sequence[corpus.Example], labels: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    return {label: [each.text for each in examples if each.label == label] for label in labels}
