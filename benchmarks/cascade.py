"""Does the cascade keep its promise? Random splits of real texts with a teacher's answers.

`python -m benchmarks.cascade DIR [DIR ...] --teacher few_shot:k=32`; DIR is what
gold_folder.py describes. One student is trained on a part of the pool; the rest is split again
and again into texts that certify and fresh ones. The library is called directly.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from benchmarks.cascade_rules import RULES, Answered, Split
from benchmarks.gold_folder import NotAFolderOfOurs
from benchmarks.machine import describe_machine
from benchmarks.pseudo_labels import TeacherChoice, load_labelled
from llkd.base_models import ModelSource
from llkd.cascade import Below
from llkd.distiller import distill
from llkd.held_out import split_held_out
from llkd.process_environment import TRAINING_ENVIRONMENT
from llkd.selection.factory import build_selector, fit_to_pool
from llkd.specs import AllSelection, Candidate, SingleStudent, TrainingSpec
from llkd.students.factory import build_student
from llkd.training_plan import TrainingPlan
from llkd.types import FloatArray, IntArray

TARGETS = (0.80, 0.90, 0.95, 0.99)
DELTAS = (0.05, 0.10)
_AT_ONCE = 512


@dataclass(frozen=True)
class Scored:
    """A student's answers to N texts that it did not learn from, beside the teacher's.

    Attributes:
        logits: [N, K].
        labels: [N], the teacher's.
        seconds: of one core, for training the student.
    """

    setting: str
    trained_on: int
    logits: FloatArray
    labels: IntArray
    seconds: float


@dataclass(frozen=True)
class Result:
    """What one rule did over all splits at one target.

    Attributes:
        texts: those that certify, of each split; all others of the setting are fresh.
        missed_fresh: share of the splits whose agreement on the fresh texts is below the target.
        missed: the same on all of the setting's texts: where each split's certifying texts
            were drawn from, with a lot that may draw one twice.
        certified: share of the splits in which the student may answer anything.
        coverage: share of the fresh texts that the student answers, mean over splits.
        agreement: on the fresh texts, mean over the splits that give any answer.
    """

    setting: str
    teacher: str
    student: str
    trained_on: int
    held_out: int
    student_agreement: float
    texts: int
    below: str
    target: float
    delta: float
    rule: str
    splits: int
    missed_fresh: float
    missed: float
    certified: float
    coverage: float
    agreement: float | None


def main() -> int:
    """Measure every folder, print the table; 0 when all of it worked."""
    options = _options()
    if options.table is not None:
        print(as_markdown(list(_from_file(options.table)), splits=options.splits))
        return 0
    machine = describe_machine()
    os.environ.update(TRAINING_ENVIRONMENT)
    results: list[Result] = []
    for folder in options.folders:
        try:
            scored = train_and_score(folder, options)
        except NotAFolderOfOurs as error:
            print(f"Failed: {error}", file=sys.stderr)
            return 1
        agreement = float((scored.logits.argmax(axis=1) == scored.labels).mean())
        print(
            f"{folder.name}: {len(scored.labels)} texts held out, the student agrees on "
            f"{agreement:.1%}, trained in {scored.seconds:.0f} s",
            file=sys.stderr,
        )
        found = [result for splits in options.splits for result in measure(scored, splits, options)]
        results += found
        if options.out is not None:
            with options.out.open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps({**asdict(result), "machine": machine}) + "\n" for result in found
                )
    print(as_markdown(results, splits=options.splits))
    return 0


def train_and_score(folder: Path, options: argparse.Namespace) -> Scored:
    """Train one student on a part of the pool by lot, and let it answer the rest."""
    labelled = load_labelled(
        folder, options.teacher, split="test", seed=options.seed, limit=options.limit
    ).pool
    order = np.random.default_rng(options.seed).permutation(len(labelled))
    places = np.sort(order[: options.train])
    started = time.process_time()
    pool, held_out = split_held_out(labelled.take(places), seed=options.seed)
    candidate = fit_to_pool(
        Candidate(
            student=options.student,
            selection=AllSelection(),
            training=TrainingSpec(seed=options.seed, device="cpu"),
        ),
        pool,
    )
    student = build_student(
        candidate.student, candidate.training, class_count=pool.class_count, source=ModelSource()
    )
    selector = build_selector(candidate.selection, pool=pool, seed=options.seed)
    plan = TrainingPlan.of(candidate, pool_size=len(pool))
    for _ in distill(student, pool, selector, plan=plan, held_out=held_out):
        pass
    seconds = time.process_time() - started
    fresh = labelled.take(np.sort(order[options.train :]))
    parts = [
        student.predict(fresh.texts[start : start + _AT_ONCE]).probabilities
        for start in range(0, len(fresh), _AT_ONCE)
    ]
    logits = np.log(np.maximum(np.concatenate(parts), np.finfo(np.float64).tiny))
    return Scored(folder.name, len(places), logits, fresh.labels, seconds)


def measure(scored: Scored, splits: int, options: argparse.Namespace) -> list[Result]:
    """Every rule at every target, on the same splits."""
    rows, results = len(scored.labels), []
    agreement = float((scored.logits.argmax(axis=1) == scored.labels).mean())
    every = np.arange(rows)
    once, put_back = [], []
    for number in range(splits):
        lot = np.random.default_rng([options.seed, number])
        drawn = lot.permutation(rows)[: options.texts]
        others = np.setdiff1d(every, drawn)
        once.append(Split.of(scored.logits, scored.labels, drawn=drawn, others=others))
        # The promise is of texts drawn by lot from what comes; with texts put back, that is
        # the whole setting, and agreement on it is known exactly.
        drawn = lot.integers(rows, size=options.texts)
        put_back.append(Split.of(scored.logits, scored.labels, drawn=drawn, others=every))
    cells = [(below, target, delta) for below in Below for target in TARGETS for delta in DELTAS]
    for below, target, delta in cells:
        for name, rule in RULES.items():
            ask = partial(rule, target=target, delta=delta, below=below)
            fresh, whole = list(map(ask, once)), list(map(ask, put_back))
            given = [each.agreement for each in fresh if each.agreement is not None]
            results.append(
                Result(
                    setting=scored.setting,
                    teacher=str(options.teacher),
                    student=options.student.kind,
                    trained_on=scored.trained_on,
                    held_out=rows,
                    student_agreement=agreement,
                    texts=options.texts,
                    below=below.value,
                    target=target,
                    delta=delta,
                    rule=name,
                    splits=splits,
                    missed_fresh=_missed(fresh, target),
                    missed=_missed(whole, target),
                    certified=float(np.mean([each.coverage > 0 for each in fresh])),
                    coverage=float(np.mean([each.coverage for each in fresh])),
                    agreement=float(np.mean(given)) if given else None,
                )
            )
    return results


def as_markdown(results: Sequence[Result], *, splits: Sequence[int]) -> str:
    """A table of all cells, the rules side by side."""
    lines = [
        "| set | below | target | delta | "
        + " | ".join(f"{name}: missed, fresh / all; answered" for name in RULES)
        + " |",
        "|---" * (4 + len(RULES)) + "|",
    ]
    cells: dict[tuple[str, str, float, float], dict[str, Result]] = {}
    for each in results:
        if each.splits == max(splits):
            key = (each.setting, each.below, each.target, each.delta)
            cells.setdefault(key, {})[each.rule] = each
    for (setting, below, target, delta), found in cells.items():
        told = [
            f"{found[name].missed_fresh:.1%} / {found[name].missed:.1%}; {found[name].coverage:.1%}"
            for name in RULES
        ]
        lines.append(f"| {setting} | {below} | {target:g} | {delta:g} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def _missed(answered: Sequence[Answered], target: float) -> float:
    """Where nothing is answered, nothing is missed."""
    return float(
        np.mean([each.agreement is not None and each.agreement < target for each in answered])
    )


def _from_file(file: Path) -> Iterator[Result]:
    for line in file.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        fields.pop("machine")
        yield Result(**fields)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", metavar="DIR")
    parser.add_argument("--teacher", type=TeacherChoice.parse, default="few_shot:k=32")
    parser.add_argument(
        "--student", type=TypeAdapter(SingleStudent).validate_json, default='{"kind": "static"}'
    )
    parser.add_argument("--train", type=int, default=2000, help="texts to learn from")
    parser.add_argument("--texts", type=int, default=1000, help="texts that certify")
    parser.add_argument("--limit", type=int, default=None, help="texts of the pool at the most")
    parser.add_argument("--splits", type=int, nargs="+", default=[100])
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, default=None, help="JSON lines are appended here")
    parser.add_argument("--table", type=Path, default=None, help="print this file's table")
    options = parser.parse_args(arguments)
    if not options.folders and options.table is None:
        parser.error("name at least one DIR")
    return options


if __name__ == "__main__":
    sys.exit(main())
