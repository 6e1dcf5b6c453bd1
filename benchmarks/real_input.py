"""How good does a student get on real texts, through the HTTP API, from a few gold examples?

`python -m benchmarks.real_input DIR [DIR ...] --k 32 --seeds 3`; see gold_folder.py for
what a DIR holds and benchmarks/README.md for the measured tables.
"""

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.gold_folder import NotAFolderOfOurs, Task, read_task, write_uploads
from benchmarks.machine import describe_machine
from benchmarks.summary import SeededRow, as_summary_table
from demo.results import ResultRow, student_row, teacher_row
from demo.service import Service, ServiceFailed, running_service
from demo.watching import connect, follow
from llkd_client import Client, LlkdError

Json = dict[str, Any]


def main() -> int:
    """Run every folder with every seed and selection; 0 when all jobs succeeded."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    try:
        _measure(options, console)
    except (NotAFolderOfOurs, ServiceFailed, LlkdError) as error:
        console.print(f"Failed: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


def _measure(options: argparse.Namespace, console: Console) -> None:
    machine = describe_machine()
    console.print(" · ".join(f"{name} {value}" for name, value in machine.items()))
    with (
        tempfile.TemporaryDirectory(prefix="llkd-benchmark-") as scratch,
        running_service(Path(scratch) / "var") as service,
        connect(service.url) as client,
    ):
        for folder in options.folders:
            rows: list[SeededRow] = []
            for seed in range(options.first_seed, options.first_seed + options.seeds):
                task = read_task(folder, per_class=options.k, seed=seed, limit=options.limit)
                bench = _Bench(client, service, console, task, seed, Path(scratch))
                rows += bench.run(options.selections, options.training)
            _publish(rows, task, options, console, machine)


class _Bench:
    """One data set with one seed: uploads once, then a job for each selection."""

    def __init__(
        self,
        client: Client,
        service: Service,
        console: Console,
        task: Task,
        seed: int,
        scratch: Path,
    ) -> None:
        self._client, self._service, self._console = client, service, console
        self._task, self._seed = task, seed
        pool, test = write_uploads(task, scratch)
        self._pool = client.datasets.add(pool, name=task.name)
        self._gold = client.datasets.add(test, name=f"{task.name}-gold", label_column="label")

    def run(self, selections: Sequence[str], training: Json) -> list[SeededRow]:
        """The teacher's row, then one for each selection."""
        rows: list[ResultRow] = []
        for selection in selections:
            job_id = self._client.jobs.create(**self._spec(selection, training)).id
            job = follow(
                self._client,
                job_id,
                title=f"{self._task.name} seed {self._seed} {selection}",
                console=self._console,
                alive=self._service.check,
            )
            report = self._client.jobs.report(job_id)
            if not rows:
                rows.append(teacher_row(job, report, name="teacher"))
            rows.append(student_row(report, name=selection))
        return [SeededRow(self._seed, row) for row in rows]

    def _spec(self, selection: str, training: Json) -> Json:
        return {
            "name": _model_name(f"{self._task.name}-{selection}"),
            "dataset_id": self._pool.id,
            "labels": [
                {"name": label, "examples": list(self._task.examples[label])}
                for label in self._task.labels
            ],
            "teacher": {"kind": "few_shot"},
            "selection": {"kind": selection},
            "training": {**training, "seed": self._seed},
            "evaluation": {"dataset_id": self._gold.id},
        }


def _model_name(folder: str) -> str:
    """Lower case, digits, dots, dashes: what a model may be called."""
    return re.sub(r"[^a-z0-9._-]+", "-", folder.lower()).strip("._-")[:64]


def _publish(
    rows: Sequence[SeededRow],
    task: Task,
    options: argparse.Namespace,
    console: Console,
    machine: dict[str, str],
) -> None:
    """Print the table, and append the rows with all that is needed to judge them to `--out`."""
    facts: dict[str, Any] = {
        "dataset": task.name,
        "k": options.k,
        "texts": len(task.pool),
        "test": len(task.test),
        "classes": len(task.labels),
        "training": options.training,
    }
    console.print(as_summary_table(rows, title=", ".join(f"{k} {v}" for k, v in facts.items())))
    if options.out is None:
        return
    with options.out.open("a", encoding="utf-8") as file:
        for each in rows:
            line = {**facts, "seed": each.seed, **asdict(each.row), "machine": machine}
            file.write(json.dumps(line) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR")
    parser.add_argument("--k", type=int, default=32, help="gold examples a class for the teacher")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--first-seed", type=int, default=42)
    parser.add_argument("--limit", type=int, default=None, help="texts of the pool, at the most")
    parser.add_argument(
        "--selections", type=lambda names: names.split(","), default=["llkd", "all"]
    )
    parser.add_argument(
        "--training", type=json.loads, default={}, help="JSON, fields of the job's `training`"
    )
    parser.add_argument("--out", type=Path, default=None, help="JSON lines are appended here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
