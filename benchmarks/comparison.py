"""Strategies side by side: scores with their spread, and paired differences with an interval."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any

import numpy as np

from benchmarks.strategies import Run
from llkd.bootstrap import class_f1, macro_f1
from llkd.types import IntArray

RESAMPLES = 1000
# What `auto` chooses from here.
AUTO = ("llkd", "class_confidence, LLKD's steps", "all, 3 epochs")
# What is compared with what, text by text.
REFERENCES = {
    "llkd": (
        "all, 3 epochs",
        "all, 2 epochs",
        "all, 1 epoch",
        "class_confidence, LLKD's steps",
        "random, LLKD's size and steps",
    ),
    "llkd, lazy": ("all, 3 epochs", "random answers, class_confidence"),
    "auto": (),
}


@dataclass(frozen=True)
class Difference:
    """In macro-F1 points over a reference, on the same test texts, with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Result:
    """One line of the results' file: a strategy on a setting with a seed.

    Attributes:
        limit: of the pool, as asked; `pool` is what was left to learn from.
        student, training: what was asked of every strategy beside its own.
        macro_f1, accuracy: in [0, 1], on gold.
        differences: by reference, for those that were run.
    """

    setting: str
    teacher: str
    split: str
    limit: int | None
    student: dict[str, Any]
    training: dict[str, Any]
    seed: int
    strategy: str
    classes: int
    pool: int
    test: int
    macro_f1: float
    accuracy: float
    unique: int
    kept: float
    gradient_samples: int
    steps: int
    forwards: int
    teacher_answers: int
    right: float | None
    confidence: str
    held_out_score: float | None
    ended: str
    averaged: bool
    seconds: float
    differences: dict[str, Difference]

    @property
    def place(self) -> tuple[str, ...]:
        """What must be equal for two results to be of one setting."""
        asked = (self.limit, self.student, self.training)
        return self.setting, self.teacher, self.split, json.dumps(asked, sort_keys=True)


def score(predicted: IntArray, gold: IntArray, *, classes: int) -> tuple[float, float]:
    """Macro-F1 and accuracy, in [0, 1]."""
    counts = [
        np.bincount(each, minlength=classes) for each in (gold[predicted == gold], gold, predicted)
    ]
    return float(macro_f1(class_f1(*counts))), float((predicted == gold).mean())


def compare(
    run: Run, others: Sequence[Run], gold: IntArray, *, classes: int, seed: int
) -> dict[str, Difference]:
    """Paired bootstrap over test texts: both strategies are scored on the same resamples."""
    generator = np.random.default_rng(seed)
    draws = [generator.integers(0, len(gold), len(gold)) for _ in range(RESAMPLES)]
    found = {}
    for other in others:
        gaps = [
            score(run.predicted[draw], gold[draw], classes=classes)[0]
            - score(other.predicted[draw], gold[draw], classes=classes)[0]
            for draw in draws
        ]
        value = (
            score(run.predicted, gold, classes=classes)[0]
            - score(other.predicted, gold, classes=classes)[0]
        )
        low, high = np.quantile(gaps, [0.025, 0.975])
        found[other.strategy] = Difference(100 * value, 100 * float(low), 100 * float(high))
    return found


def as_markdown(results: Sequence[Result]) -> str:
    """A table a setting, then the mean differences over the settings."""
    results = [*results, *_auto(results)]
    places = dict.fromkeys(each.place for each in results)
    tables = [_setting_table([each for each in results if each.place == at]) for at in places]
    run = {each.strategy for each in results}
    summaries = [_summary(results, ours) for ours in REFERENCES if ours in run]
    return "\n\n".join([*tables, *summaries])


def _auto(results: Sequence[Result]) -> Iterator[Result]:
    """What `auto` would have kept: of its candidates, the best on held-out pseudo-labels.

    It costs what all of them cost together.
    """
    trained: dict[tuple[object, ...], list[Result]] = {}
    for each in results:
        if each.strategy in AUTO:
            trained.setdefault((each.place, each.seed), []).append(each)
    for tried in trained.values():
        if len(tried) == len(AUTO):
            best = max(tried, key=lambda each: each.held_out_score or 0.0)
            yield replace(
                best,
                strategy="auto",
                differences={},
                **{
                    name: sum(getattr(each, name) for each in tried)
                    for name in ("gradient_samples", "steps", "forwards", "seconds")
                },
            )


def _setting_table(results: Sequence[Result]) -> str:
    first = results[0]
    seeds = sorted({each.seed for each in results})
    lines = [
        f"**{first.setting}** ({first.classes} classes, teacher {first.teacher}; pool "
        f"{first.pool:,}, {first.split} {first.test:,}; seeds {seeds}{_asked(first)})",
        "",
        "| strategy | macro-F1 | accuracy | LLKD minus it (95 %) | lazy minus it (95 %) "
        "| answers, right | unique | gradient samples | steps | forwards | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for strategy in dict.fromkeys(each.strategy for each in results):
        same = [each for each in results if each.strategy == strategy]
        lines.append(
            f"| {strategy} | {_spread([100 * each.macro_f1 for each in same])} "
            f"| {_spread([100 * each.accuracy for each in same])} "
            f"| {_difference(results, 'llkd', strategy)} "
            f"| {_difference(results, 'llkd, lazy', strategy)} "
            f"| {mean(each.teacher_answers for each in same):,.0f}, {_right(same)} "
            f"| {100 * mean(each.unique / each.pool for each in same):.0f} % "
            f"| {mean(each.gradient_samples for each in same):,.0f} "
            f"| {mean(each.steps for each in same):,.0f} "
            f"| {mean(each.forwards for each in same):,.0f} "
            f"| {mean(each.seconds for each in same):,.0f} |"
        )
    return "\n".join(lines)


def _right(results: Sequence[Result]) -> str:
    known = [each.right for each in results if each.right is not None]
    return f"{100 * mean(known):.1f} %" if known else "unknown"


def _asked(result: Result) -> str:
    asked = result.student | result.training
    return "; " + ", ".join(f"{name} {value}" for name, value in asked.items()) if asked else ""


def _difference(results: Sequence[Result], ours: str, strategy: str) -> str:
    """Means over the seeds of our paired differences, and of their ends."""
    found = [
        each.differences[strategy]
        for each in results
        if each.strategy == ours and strategy in each.differences
    ]
    if not found:
        return "-"
    value, low, high = (
        mean(values) for values in zip(*((d.value, d.low, d.high) for d in found), strict=True)
    )
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def _summary(results: Sequence[Result], ours: str) -> str:
    """Over settings: our mean gain over each rival, its worst, and what it costs of it."""
    lines = [
        f"| {ours} against | settings | mean gain, macro-F1 | worst | better on "
        "| teacher answers | gradient samples | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for strategy in dict.fromkeys(each.strategy for each in results):
        pairs = _pairs(results, ours, strategy)
        if strategy == ours or not pairs:
            continue
        gains = [
            100 * mean(a.macro_f1 - b.macro_f1 for a, b in pairs if a.place == place)
            for place in dict.fromkeys(a.place for a, _ in pairs)
        ]
        answers = _ratio((a.teacher_answers, b.teacher_answers) for a, b in pairs)
        gradient = _ratio((a.gradient_samples, b.gradient_samples) for a, b in pairs)
        seconds = _ratio((a.seconds, b.seconds) for a, b in pairs)
        lines.append(
            f"| {strategy} | {len(gains)} | {mean(gains):+.2f} | {min(gains):+.1f} "
            f"| {sum(gain > 0 for gain in gains)} | {100 * answers:.0f} % "
            f"| {100 * gradient:.0f} % | {100 * seconds:.0f} % |"
        )
    return "\n".join(lines)


def _pairs(results: Sequence[Result], ours: str, strategy: str) -> list[tuple[Result, Result]]:
    """Our result and the rival's of the same setting and seed."""
    first = {(each.place, each.seed): each for each in results if each.strategy == ours}
    return [
        (first[each.place, each.seed], each)
        for each in results
        if each.strategy == strategy and (each.place, each.seed) in first
    ]


def _ratio(pairs: Iterable[tuple[float, float]]) -> float:
    ours = theirs = 0.0
    for one, other in pairs:
        ours, theirs = ours + one, theirs + other
    return ours / theirs


def _spread(values: Sequence[float]) -> str:
    return f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if len(values) > 1 else "")
