"""`python -m demo`: from a pile of unlabeled text to a served classifier, over HTTP."""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from demo import corpus
from demo.results import as_table, student_row, teacher_row, verdict
from demo.service import ROOT, Service, ServiceFailed, running_service
from demo.watching import connect, follow
from llkd_client import Client, Dataset, Job, LlkdError

Json = dict[str, Any]
ACTIVE_STATES = ("queued", "running")
NEW_TEXTS = (
    "I sent the tent back two weeks ago, so when do I see my money?",
    "hiya, dont want to cancel anything, the app just shows a white screen since friday",
    "The courier swears it was handed over. Nobody here has it. By the way, the invoice is fine.",
)
PORT_OF_RUN_UP = 8000
# Fewer than a job's default: someone is watching.
PASSES = 3
# A job's row tells what its worker said at the last heartbeat: often, for a live bar.
LIVELY = {"LLKD_HEARTBEAT_SECONDS": "1", "LLKD_POLL_SECONDS": "0.5"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when all of it worked, 130 when it was interrupted."""
    options = _options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 110, highlight=False)
    try:
        _demonstrate(console, options)
    except (ServiceFailed, LlkdError) as error:
        console.print(f"The demo failed: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


def _demonstrate(console: Console, options: argparse.Namespace) -> None:
    started = time.monotonic()
    made = corpus.generate(seed=options.seed)
    files = corpus.write(made, options.data_dir / "corpus")
    console.print(
        f"Corpus: {len(made.train):,} texts without labels and {len(made.test):,} with gold for "
        f"the report, {len(made.labels)} intents (seed {options.seed}), in {files.train.parent}",
        soft_wrap=True,
    )
    console.print("Starting the API and a worker …")
    with running_service(options.data_dir, port=options.port, settings=LIVELY) as service:
        console.print(f"Listening on {service.url} (logs: {options.data_dir}/*.log)")
        with connect(service.url) as client, _logs_on_failure(service, console):
            model = _two_jobs(console, client, service, files, made)
            _predict(console, client, model)
            console.print(f"All of it took {time.monotonic() - started:.0f} s.")
            _say_how_to_go_on(console, options, service, model)
        if options.keep_running:
            _wait(service)


def _two_jobs(
    console: Console,
    client: Client,
    service: Service,
    files: corpus.CorpusFiles,
    made: corpus.Corpus,
) -> str:
    """Distil with LLKD and with every pseudo-label; print the table; return LLKD's model id."""
    # A run that was killed may have left a job, which would keep the worker from ours.
    for state in ACTIVE_STATES:
        for left in client.jobs.list(state=state):
            client.jobs.cancel(left.id)
    pool = client.datasets.add(files.train, name="support")
    gold = client.datasets.add(files.test, name="support-gold", label_column="label")
    console.print(f"Uploaded {pool.statistics.unique:,} texts as {pool.id}")
    llkd = _job(console, client, service, _spec(pool, gold, made))
    steps = client.jobs.report(llkd.id).training.steps
    everything = _job(console, client, service, _replay(llkd, selection="all", steps=steps))
    console.print(
        f"The second job learned from the first one's {everything.progress.teacher.cached:,} "
        "answers: no teacher was asked again."
    )
    _compare(console, client, llkd, everything)
    assert llkd.model_id is not None
    return llkd.model_id


def _job(console: Console, client: Client, service: Service, spec: Json) -> Job:
    """Create the job and see it through; cancel it when we are interrupted."""
    job_id = client.jobs.create(**spec).id
    title = f"{spec['selection']['kind']:<4}"
    try:
        return follow(client, job_id, title=title, console=console, alive=service.check)
    except KeyboardInterrupt:
        with suppress(LlkdError):
            client.jobs.cancel(job_id)
        raise


def _spec(pool: Dataset, gold: Dataset, made: corpus.Corpus) -> Json:
    return {
        "name": "support-llkd",
        "dataset_id": pool.id,
        "labels": [
            {"name": label.name, "description": label.description, "examples": label.examples}
            for label in made.labels
        ],
        "instruction": "Route the customer's message by what it asks for in the end.",
        "teacher": {"kind": "few_shot"},
        "selection": {"kind": "llkd"},
        "training": {"epochs": PASSES},
        "evaluation": {"dataset_id": gold.id},
    }


def _replay(job: Job, *, selection: str, steps: int) -> Json:
    """Another student from that job's answers, of as many optimizer steps: someone is watching,
    and three passes over everything would take four times as long."""
    return {
        "from_job": job.id,
        "name": f"support-{selection}",
        "selection": {"kind": selection},
        "training": {"max_steps": steps},
    }


def _compare(console: Console, client: Client, llkd: Job, everything: Job) -> None:
    llkd_report, all_report = client.jobs.report(llkd.id), client.jobs.report(everything.id)
    rows = (
        teacher_row(llkd, llkd_report, name="teacher"),
        student_row(llkd_report, name="student, LLKD"),
        student_row(all_report, name="student, all"),
    )
    console.print()
    console.print(as_table(rows, title="On gold labels that no job has learned from"))
    console.print(
        "Gradient: samples learned from, repeats included. Student, all: pseudo-labels as they "
        "come, for as many optimizer steps.",
        soft_wrap=True,
    )
    console.print(verdict(*rows), soft_wrap=True)


def _predict(console: Console, client: Client, model: str) -> None:
    console.print("\nThree new texts, answered by the LLKD student:")
    for text, answer in zip(NEW_TEXTS, client.predict(model, NEW_TEXTS, top_k=3).data, strict=True):
        scores = ", ".join(f"{each.label} {each.score:.2f}" for each in answer.scores)
        console.print(f"  {text}\n    → {scores}", markup=False, soft_wrap=True)


def _say_how_to_go_on(
    console: Console, options: argparse.Namespace, service: Service, model: str
) -> None:
    if options.keep_running:
        url = service.url
        console.print("\nThe service keeps running until Ctrl-C. Try:")
    else:
        url = f"http://127.0.0.1:{PORT_OF_RUN_UP}"
        console.print("\nThe service stops now. Start it again on the same data, and ask it:")
        console.print(f"  LLKD_DATA_DIR={options.data_dir} ./run up", soft_wrap=True)
    for line in (
        f"curl {url}/models/{model}",
        f"curl {url}/predict -H 'Content-Type: application/json' \\",
        f'  -d \'{{"model": "{model}", "input": ["Where is my parcel?"], "top_k": 3}}\'',
    ):
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _wait(service: Service) -> None:
    while True:
        service.check()
        time.sleep(1)


@contextmanager
def _logs_on_failure(service: Service, console: Console) -> Iterator[None]:
    try:
        yield
    except LlkdError:
        for name in service.processes:
            console.print(service.log_tail(name), markup=False, soft_wrap=True)
        raise


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument("--seed", type=int, default=42, help="of the corpus (default: 42)")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    parser.add_argument("--data-dir", type=Path, default=ROOT / "var" / "demo")
    parser.add_argument(
        "--keep-running", action="store_true", help="serve on after the demo, until Ctrl-C"
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
