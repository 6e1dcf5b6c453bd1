"""Does selection pay? All strategies on the same pseudo-labels, with the same student.

`python -m benchmarks.method DIR [DIR ...] --teacher few_shot:k=32 --seeds 3`; DIR is what
gold_folder.py describes. The library is called directly: no service, no network.
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import torch
from pydantic import TypeAdapter

from benchmarks.comparison import REFERENCES, Result, as_markdown, compare, score
from benchmarks.gold_folder import NotAFolderOfOurs
from benchmarks.machine import describe_machine
from benchmarks.pseudo_labels import TeacherChoice, load_setting
from benchmarks.strategies import QUICK, STRATEGIES, Run, run_strategy
from llkd.process_environment import TRAINING_ENVIRONMENT
from llkd.specs import SingleStudent

# A folder and a seed.
Unit = tuple[Path, int]

QUICK_POOL = 1000
QUICK_TEST = 500


def main() -> int:
    """Run every folder with every seed and strategy; 0 when all of it worked."""
    options = _options()
    try:
        results = list(_from_file(options.table)) if options.table else _measure(options)
    except NotAFolderOfOurs as error:
        print(f"Failed: {error}", file=sys.stderr)
        return 1
    print(as_markdown(results))
    return 0


def _measure(options: argparse.Namespace) -> list[Result]:
    machine = describe_machine()
    print(" · ".join(f"{name} {value}" for name, value in machine.items()), file=sys.stderr)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    units = [(folder, seed) for folder in options.folders for seed in seeds]
    results = _measured_before(units, options)
    units = [unit for unit in units if not _is_measured(unit, results, options)]
    os.environ.update(TRAINING_ENVIRONMENT)
    # A process a setting, each on one core: seconds are then comparable within a run.
    with ProcessPoolExecutor(
        options.processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=torch.set_num_threads,
        initargs=(1,),
    ) as pool:
        waiting = [pool.submit(measure_unit, folder, seed, options) for folder, seed in units]
        for (folder, seed), unit in zip(units, waiting, strict=True):
            found = unit.result()
            results += found
            print(f"{folder.name}, seed {seed}: {len(found)} strategies", file=sys.stderr)
            if options.out is not None:
                with options.out.open("a", encoding="utf-8") as file:
                    for result in found:
                        file.write(json.dumps({**asdict(result), "machine": machine}) + "\n")
    return results


def _measured_before(units: Sequence[Unit], options: argparse.Namespace) -> list[Result]:
    """With `--resume`, what `--out` holds of these units, asked in the same way."""
    if not options.resume or options.out is None or not options.out.exists():
        return []
    asked = (str(options.teacher), options.split, options.limit, options.training)
    student = options.student.model_dump(exclude_defaults=True)
    wanted = {(folder.name, seed) for folder, seed in units}
    return [
        each
        for each in _from_file(options.out)
        if (each.setting, each.seed) in wanted
        and (each.teacher, each.split, each.limit, each.training) == asked
        and each.student == student
        and each.strategy in options.strategies
    ]


def _is_measured(unit: Unit, results: Sequence[Result], options: argparse.Namespace) -> bool:
    folder, seed = unit
    found = {each.strategy for each in results if (each.setting, each.seed) == (folder.name, seed)}
    return found >= set(options.strategies)


def measure_unit(folder: Path, seed: int, options: argparse.Namespace) -> list[Result]:
    """Every strategy on one setting with one seed; who is followed comes first."""
    setting = load_setting(
        folder, options.teacher, split=options.split, seed=seed, limit=options.limit
    )
    if options.test_limit is not None:
        setting = setting.with_test(options.test_limit)
    runs: dict[str, Run] = {}
    for strategy in [name for name in STRATEGIES if name in options.strategies]:
        run = run_strategy(
            strategy,
            setting,
            seed=seed,
            runs=runs,
            student_spec=options.student,
            overrides=options.training,
        )
        print(
            f"  {folder.name} {seed} {strategy}: "
            f"{100 * score(run.predicted, setting.test_gold, classes=len(setting.labels))[0]:.1f} "
            f"after {run.steps} steps ({run.ended}), {run.seconds:.0f} s",
            file=sys.stderr,
        )
        runs[strategy] = run
    results = []
    for run in runs.values():
        classes = len(setting.labels)
        others = [runs[name] for name in REFERENCES.get(run.strategy, ()) if name in runs]
        macro_f1, accuracy = score(run.predicted, setting.test_gold, classes=classes)
        fields = {name: value for name, value in vars(run).items() if name != "predicted"}
        results.append(
            Result(
                setting=setting.name,
                teacher=str(options.teacher),
                split=options.split,
                limit=options.limit,
                student=options.student.model_dump(exclude_defaults=True),
                training=options.training,
                seed=seed,
                classes=classes,
                test=len(setting.test_gold),
                macro_f1=macro_f1,
                accuracy=accuracy,
                differences=compare(run, others, setting.test_gold, classes=classes, seed=seed),
                **fields,
            )
        )
    return results


def _from_file(file: Path) -> Iterator[Result]:
    read = TypeAdapter(Result).validate_python
    for line in file.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        fields.pop("machine", None)
        yield read(fields)


def _options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*", metavar="DIR")
    parser.add_argument("--teacher", type=TeacherChoice.parse, default="few_shot:k=32")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=42)
    parser.add_argument(
        "--strategies",
        type=lambda names: [name.strip() for name in names.split(";")],
        default=list(STRATEGIES),
        help=f"separated by semicolons, of: {'; '.join(STRATEGIES)}",
    )
    parser.add_argument("--limit", type=int, default=None, help="texts of the pool at the most")
    parser.add_argument("--test-limit", type=int, default=None, help="test texts at the most")
    parser.add_argument("--split", default="test", help="what scores: test or validation")
    parser.add_argument(
        "--training", type=json.loads, default={}, help="fields of `training`, for all strategies"
    )
    parser.add_argument(
        "--student",
        type=TypeAdapter(SingleStudent).validate_json,
        default="{}",
        help="fields of `student`, for all strategies",
    )
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--quick", action="store_true", help="small, one seed: some minutes")
    parser.add_argument("--out", type=Path, default=None, help="JSON lines are appended here")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="leave out what --out holds already, whichever commit measured it",
    )
    parser.add_argument("--table", type=Path, default=None, help="print this file's tables")
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds, options.strategies = 1, list(QUICK)
        options.limit, options.test_limit = QUICK_POOL, QUICK_TEST
    if not options.folders and options.table is None:
        parser.error("name at least one DIR")
    unknown = set(options.strategies) - set(STRATEGIES)
    if unknown:
        parser.error(f"there is no strategy {', '.join(sorted(unknown))}")
    return options


if __name__ == "__main__":
    sys.exit(main())
