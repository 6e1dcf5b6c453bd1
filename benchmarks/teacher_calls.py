"""What does one answer of a teacher server cost on our side, and does the database keep up?

`python -m benchmarks.teacher_calls --database sqlite --database postgresql+psycopg://HOST/`:
the label stage of a job whose teacher is a server in a process of its own, which answers every
request 20 ms later, 64 at a time.
"""

import argparse
import cProfile
import json
import pstats
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from rich.console import Console
from rich.table import Table
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL, make_url

from benchmarks.label_stage import TimedDatabase, claimed_job
from benchmarks.machine import describe_machine
from benchmarks.prompt_server import prompt_server
from benchmarks.short_texts import short_texts
from demo.phrases import load_intents
from llkd.specs import DistillationSpec
from migrations import upgrade
from worker.job import Job
from worker.stages.label import label

SQLITE = "sqlite"
# What the label stage may take of our CPU for one text.
MOST_CPU_MS = 2.0


@dataclass(frozen=True)
class CallsResult:
    """One run of the label stage.

    Attributes:
        database: its kind.
        rows: texts, each asked about once.
        wall_s: seconds of the whole stage.
        cpu_s: CPU seconds of this process in it. The server is another process, and so is
            PostgreSQL; SQLite is part of this one.
        asking_cpu_s: of these, in the thread that asks.
        writing_cpu_s: of these, in writing transactions.
        writing_wall_s: seconds in which a transaction was open.
        transactions: how many there were.
    """

    database: str
    rows: int
    latency_ms: float
    concurrency: int
    wall_s: float
    cpu_s: float
    asking_cpu_s: float
    writing_cpu_s: float
    writing_wall_s: float
    transactions: int

    @property
    def cpu_ms_per_row(self) -> float:
        return 1000 * self.cpu_s / self.rows

    @property
    def database_share(self) -> float:
        """Of the stage's time, what a transaction was open in; near 1 it is the bottleneck."""
        return self.writing_wall_s / self.wall_s


def main() -> int:
    """Measure on every database; 0 when the CPU per row was within the limit on each."""
    options = _options()
    console = Console(width=120, highlight=False)
    machine = describe_machine()
    console.print(" · ".join(f"{name} {value}" for name, value in machine.items()))
    results = []
    with prompt_server(latency_s=options.latency_ms / 1000) as server:
        for database in options.database or [SQLITE]:
            results.append(_measure(database, server, options))
            _keep(results[-1], options.out, machine)
    console.print(as_table(results))
    return 0 if all(result.cpu_ms_per_row <= MOST_CPU_MS for result in results) else 1


def _keep(result: CallsResult, path: Path | None, machine: Mapping[str, str]) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(result), "machine": machine}) + "\n")


def _measure(database: str, server: str, options: argparse.Namespace) -> CallsResult:
    with (
        tempfile.TemporaryDirectory(prefix="llkd-calls-") as scratch,
        _database(database, Path(scratch)) as timed,
    ):
        job = claimed_job(
            timed,
            Path(scratch),
            list(short_texts(options.rows, seed=42)),
            _spec(server, options.concurrency),
            host=server.removesuffix("/v1"),
        )
        timed.transactions, timed.wall_s, timed.cpu_s = 0, 0.0, 0.0
        wall_s, cpu_s, asking_s = time.perf_counter(), time.process_time(), time.thread_time()
        _label(job, profile=options.profile)
        return CallsResult(
            database=timed.engine.dialect.name,
            rows=options.rows,
            latency_ms=options.latency_ms,
            concurrency=options.concurrency,
            wall_s=time.perf_counter() - wall_s,
            cpu_s=time.process_time() - cpu_s,
            asking_cpu_s=time.thread_time() - asking_s,
            writing_cpu_s=timed.cpu_s,
            writing_wall_s=timed.wall_s,
            transactions=timed.transactions,
        )


def _label(job: Job, *, profile: bool) -> None:
    """Run the stage; with a profile, its asking thread's slowest functions are printed."""
    if not profile:
        counts = label(job, {})["counts"]
    else:
        with cProfile.Profile() as profiler:
            counts = label(job, {})["counts"]
        pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
    answered, asked = counts["answered"], counts["asked"]
    assert answered == asked, f"{answered} of {asked} texts were answered"


@contextmanager
def _database(named: str, folder: Path) -> Iterator[TimedDatabase]:
    """A migrated database that is gone afterwards: a file, or one made on a server."""
    with _url(named, folder) as url:
        upgrade(url)
        database = TimedDatabase(url)
        try:
            yield database
        finally:
            database.dispose()


@contextmanager
def _url(named: str, folder: Path) -> Iterator[URL]:
    if named == SQLITE:
        yield make_url(f"sqlite:///{folder / 'llkd.db'}")
        return
    name = f"llkd_calls_{uuid4().hex[:12]}"
    server = make_url(named)
    engine = create_engine(
        server.set(database=server.database or "postgres"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        yield server.set(database=name)
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    finally:
        engine.dispose()


def _spec(server: str, concurrency: int) -> DistillationSpec:
    return DistillationSpec.model_validate(
        {
            "labels": [
                {
                    "name": intent.name,
                    "description": intent.description,
                    "examples": list(intent.examples),
                }
                for intent in load_intents()
            ],
            "teacher": {
                "kind": "openai",
                "base_url": server,
                "model": "fixed",
                "concurrency": concurrency,
            },
            # Estimating it takes an encoder, which is no part of asking.
            "confidence": "given",
        }
    ).resolved()


def as_table(results: Sequence[CallsResult]) -> Table:
    """One line a database; CPU in milliseconds a row."""
    columns = ("CPU ms/row", "asking", "writing", "rows/s", "rows/transaction", "database open")
    table = Table(title="The label stage with a teacher server", title_justify="left")
    table.add_column("database")
    for column in columns:
        table.add_column(column, justify="right")
    for result in results:
        table.add_row(
            result.database,
            f"{result.cpu_ms_per_row:.2f}",
            f"{1000 * result.asking_cpu_s / result.rows:.2f}",
            f"{1000 * result.writing_cpu_s / result.rows:.2f}",
            f"{result.rows / result.wall_s:,.0f}",
            f"{result.rows / result.transactions:.1f}",
            f"{result.database_share:.0%}",
        )
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="teacher_calls", description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument(
        "--database",
        action="append",
        help="sqlite (default), or the URL of a PostgreSQL where a database may be made; repeat",
    )
    parser.add_argument("--out", type=Path, help="append a JSON line a database to this file")
    parser.add_argument("--profile", action="store_true", help="print where the asking goes")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
