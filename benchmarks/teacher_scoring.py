"""What does a label cost with a local language model, and is a cheaper probability the same?

`python -m benchmarks.teacher_scoring`: a random Llama, a few-shot prompt, one thread count
for all; five ways take turns on the same texts. The library is called directly.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe_machine
from benchmarks.scoring_task import ScoringTask, make_task
from benchmarks.scoring_ways import GENERATE, NAIVE, OURS, WAYS
from llkd.calibration import softmax
from llkd.teachers.causal_lm.scorer import LabelScorer
from llkd.types import FloatArray

# What our way has to save, at the least, against the two naive ones.
LEAST_AGAINST = {NAIVE: 25.0, GENERATE: 6.0}
MOST_DIFFERENCE = 1e-5


@dataclass(frozen=True)
class WayResult:
    """One way.

    Attributes:
        cpu_ms: processor time a text, of all threads: the least of all turns.
        difference: the largest distance of a label's probability from the naive one; None
            for a way that gives no probabilities.
        log_difference: the largest distance of a label's log-probability, in nats; it shows
            what a probability near 0 or 1 hides.
    """

    name: str
    cpu_ms: float
    difference: float | None
    log_difference: float | None


def main() -> int:
    """Measure; 0 when our way saves what it should and gives the naive probabilities."""
    options = _options()
    torch.set_num_threads(options.threads)
    machine = describe_machine()
    print(" · ".join(f"{name} {value}" for name, value in machine.items()), file=sys.stderr)
    task = make_task(
        texts=options.texts,
        text_tokens=options.text_tokens,
        prefix_tokens=options.prefix_tokens,
        layers=options.layers,
        hidden=options.hidden,
        seed=options.seed,
    )
    sizes = _sizes(task)
    results = _measure(task, turns=options.turns)
    trial_ms = _trial(task)
    print(as_markdown(results, sizes, trial_ms))
    if options.out is not None:
        _keep(options, machine, sizes, results, trial_ms)
    return 0 if _holds(results) else 1


def _measure(task: ScoringTask, *, turns: int) -> list[WayResult]:
    """Let the ways take turns, so that a busy spell of the machine hits each of them."""
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    found: dict[str, FloatArray | None] = {}
    for turn in range(turns):
        for name, way in WAYS.items():
            started = time.process_time()
            found[name] = way(task)
            spent[name].append(time.process_time() - started)
            print(f"turn {turn + 1}: {name} {spent[name][-1]:.1f} s", file=sys.stderr)
    naive = found[NAIVE]
    assert naive is not None
    return [
        WayResult(name, 1000 * min(seconds) / len(task.texts), *_differences(found[name], naive))
        for name, seconds in spent.items()
    ]


def _trial(task: ScoringTask) -> float:
    """CPU milliseconds for what a teacher does once: read the prefix, try the model on a pack."""
    scorer = LabelScorer(task.model, task.tokenizer, task.frame)
    started = time.process_time()
    assert scorer.obstacle is None, f"the benchmark's model cannot be packed: {scorer.obstacle}"
    return 1000 * (time.process_time() - started)


def _differences(
    found: FloatArray | None, naive: FloatArray
) -> tuple[float, float] | tuple[None, None]:
    if found is None:
        return None, None
    probabilities = softmax(found) - softmax(naive)
    return float(np.abs(probabilities).max()), float(np.abs(found - naive).max())


def _sizes(task: ScoringTask) -> dict[str, int]:
    """Tokens of the prompt's parts; of the texts, the mean."""
    text_tokens = [len(task.tokens(text)) for text in task.texts]
    return {
        "prefix": len(task.tokens(task.frame.prefix)),
        "text": round(sum(text_tokens) / len(text_tokens)),
        "suffix": len(task.tokens(task.frame.suffix)),
        "labels": len(task.frame.continuations),
        "label_tokens": sum(len(task.tokens(end)) for end in task.frame.continuations),
    }


def as_markdown(results: Sequence[WayResult], sizes: Mapping[str, int], trial_ms: float) -> str:
    """A line a way, and how much more it takes than ours."""
    ours = _by_name(results)[OURS].cpu_ms
    lines = [
        "| way | CPU-ms a text | times ours | probability differs by | its logarithm by |",
        "|---|---|---|---|---|",
    ]
    for result in results:
        differences = " | ".join(
            "-" if each is None else f"{each:.1e}"
            for each in (result.difference, result.log_difference)
        )
        lines.append(
            f"| {result.name} | {result.cpu_ms:,.0f} | {result.cpu_ms / ours:.1f} | {differences} |"
        )
    told = ", ".join(f"{name} {value}" for name, value in sizes.items())
    lines += ["", f"Tokens: {told}. Once a teacher: {trial_ms:,.0f} CPU-ms for prefix and trial."]
    return "\n".join(lines)


def _holds(results: Sequence[WayResult]) -> bool:
    named = _by_name(results)
    ours = named[OURS]
    saves = all(named[name].cpu_ms >= least * ours.cpu_ms for name, least in LEAST_AGAINST.items())
    return saves and ours.difference is not None and ours.difference <= MOST_DIFFERENCE


def _by_name(results: Sequence[WayResult]) -> dict[str, WayResult]:
    return {result.name: result for result in results}


def _keep(
    options: argparse.Namespace,
    machine: Mapping[str, str],
    sizes: Mapping[str, int],
    results: Sequence[WayResult],
    trial_ms: float,
) -> None:
    asked = {key: value for key, value in vars(options).items() if key != "out"}
    line = {
        **asked,
        "tokens": dict(sizes),
        "ways": [asdict(result) for result in results],
        "trial_cpu_ms": trial_ms,
        "machine": dict(machine),
    }
    with options.out.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--text-tokens", type=int, default=40, help="at the least")
    parser.add_argument("--prefix-tokens", type=int, default=1000, help="at the least")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, default=None, help="JSON lines are appended here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
