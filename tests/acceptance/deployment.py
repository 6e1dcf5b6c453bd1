"""The service as an operator runs it: real processes that can be killed, spoken to over HTTP."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy.engine import make_url

from core.db.session import Database
from core.db.tables import JobEventRow, JobRow, JobStageRow, ModelRow
from core.lifecycle import Stage
from migrations import upgrade
from tests.servers import free_port
from tests.worker.corpus import LABELS, make_rows, make_spec

Json = dict[str, Any]
ROOT = Path(__file__).parents[2]
# The machine of a test run may be busy with others; what is slow here is importing torch,
# once for each attempt, and a job whose child dies at every stage has seven of them.
PATIENCE_S = 900.0
JOB = make_spec(teacher={"kind": "few_shot", "model": "local/tiny"})
# Long enough for a machine that is busy with other tests, short enough to wait for.
LEASE_S = 5.0
HEARTBEAT_S = 0.5
REAP_S = 0.5


class Deployment:
    """One data folder, one database, and whatever processes a test starts on them."""

    def __init__(
        self, folder: Path, models_dir: Path, *, database_url: str | None, redis_url: str | None
    ) -> None:
        self.folder = folder
        self.redis_url = redis_url
        self.database_url = database_url or f"sqlite:///{folder / 'llkd.db'}"
        self.database = Database(make_url(self.database_url))
        if self.database.is_sqlite:
            upgrade(make_url(self.database_url))
        self.port = free_port()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30)
        self._environment = {
            "LLKD_DATA_DIR": str(folder),
            "LLKD_DATABASE_URL": self.database_url,
            "LLKD_MODELS_DIR": str(models_dir),
            "LLKD_PORT": str(self.port),
            "LLKD_DEVICES": "cpu",
            "LLKD_TORCH_THREADS": "1",
            "LLKD_POLL_SECONDS": "0.5",
            # On SQLite a lease lasts twice as long.
            "LLKD_LEASE_SECONDS": str(LEASE_S / 2 if self.database.is_sqlite else LEASE_S),
            "LLKD_HEARTBEAT_SECONDS": str(HEARTBEAT_S),
            "LLKD_REAP_SECONDS": str(REAP_S),
            "LLKD_KILL_GRACE_SECONDS": "10",
            # After every batch, so that a kill at a checkpoint finds one.
            "LLKD_CHECKPOINT_SECONDS": "0.001",
            "HF_HUB_OFFLINE": "1",
            "PYTHONWARNINGS": "ignore",
        }
        if redis_url is not None:
            self.use_redis(redis_url)
        self._started: list[subprocess.Popen[bytes]] = []

    def use_redis(self, url: str) -> None:
        """For the processes that are started from now on."""
        self.redis_url = url
        self._environment["LLKD_REDIS_URL"] = url

    def allow_teachers(self, *hosts: str) -> None:
        """For the processes that are started from now on."""
        self._environment["LLKD_TEACHER_HOSTS"] = ",".join(hosts)

    def start_api(self) -> subprocess.Popen[bytes]:
        process = self._start("api", [sys.executable, "-m", "app.serve"])
        wait_until(self._answers, what="the API answers")
        return process

    def start_worker(self, *, fault: str = "") -> subprocess.Popen[bytes]:
        """Celery where there is a broker, else the embedded worker."""
        command = [sys.executable, "-m", "worker.main"]
        if self.redis_url is not None:
            command = [sys.executable, "-m", "celery", "-A", "worker.main", "worker"]
            command += ["--pool=threads", "--concurrency=1", "--without-gossip"]
            command += ["--without-mingle"]
        started = self._slots_started()
        process = self._start("worker", command, TESTING="1", FAULT=fault)
        wait_until(lambda: self._slots_started() > started, what="the worker's slots are started")
        return process

    def stop(self) -> None:
        """End everything that a test left running."""
        for process in self._started:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait()
        self._started.clear()

    def close(self) -> None:
        self.stop()
        self.http.close()
        self.database.dispose()

    def upload(self, rows: list[Json] | None = None) -> str:
        told = [
            {
                "text": row["text"],
                "label": row["gold"],
                "teacher_label": row["teacher_label"],
            }
            for row in rows or make_rows()
        ]
        answer = self.http.post("/datasets", json={"name": "tickets", "rows": told})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def submit(self, dataset_id: str, **changes: Any) -> str:
        body = {"name": "tickets", "dataset_id": dataset_id, **JOB, **changes}
        answer = self.http.post("/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def tell(self, job_id: str) -> Json:
        """The job as a client sees it."""
        told: Json = self.http.get(f"/jobs/{job_id}").json()
        return told

    def row(self, job_id: str) -> JobRow:
        """The job as its row stands; the API may be dead."""
        with self.database.read() as session:
            row = session.get(JobRow, job_id)
            assert row is not None
            return row

    def wait_for_end(self, job_id: str, *, state: str = "succeeded") -> JobRow:
        wait_until(lambda: self.row(job_id).state.is_terminal, what=f"job {job_id} ends")
        row = self.row(job_id)
        assert row.state == state, f"{row.state}: {row.error}\n{self.logs()}"
        return row

    def wait_for_place(self, job_id: str, stage: Stage, *, attempt: int) -> None:
        """Until this attempt says that it is in this stage, and was heard."""

        def is_there() -> bool:
            row = self.row(job_id)
            assert not row.state.is_terminal, f"{row.state}: {row.error}\n{self.logs()}"
            told = row.progress_detail.get("stage") == stage
            return row.attempt == attempt and row.stage == stage and told

        wait_until(is_there, what=f"attempt {attempt} is in stage {stage}")

    def outputs(self, job_id: str) -> Mapping[str, Json]:
        with self.database.read() as session:
            rows = session.query(JobStageRow).filter_by(job_id=job_id)
            return {row.stage: row.output for row in rows}

    def events(self, job_id: str) -> list[JobEventRow]:
        with self.database.read() as session:
            rows = session.query(JobEventRow).filter_by(job_id=job_id).order_by(JobEventRow.seq)
            return list(rows)

    def executions(self, job_id: str) -> Counter[str]:
        """How often each stage was begun."""
        begun = [event for event in self.events(job_id) if event.type == "stage.started"]
        return Counter(event.data["stage"] for event in begun)

    def models_of(self, job_id: str) -> list[ModelRow]:
        with self.database.read() as session:
            return list(session.query(ModelRow).filter_by(job_id=job_id))

    def pick_up_seconds(self, job_id: str) -> float:
        """From the row to its first claim."""
        row = self.row(job_id)
        assert row.started_at is not None
        return (row.started_at - row.created_at).total_seconds()

    def children(self) -> list[int]:
        """Process ids of the jobs' own processes, of this deployment alone."""
        return [pid for pid, shown in self.processes().items() if b"worker.child" in shown]

    def processes(self) -> dict[int, bytes]:
        """What the system shows of this deployment's processes: command lines, environments."""
        found = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                shown = (entry / "cmdline").read_bytes() if entry.name.isdecimal() else b""
                if shown.find(b"python") < 0:
                    continue
                environment = (entry / "environ").read_bytes()
                if str(self.folder).encode() in environment:
                    found[int(entry.name)] = shown + environment
        return found

    def logs(self) -> str:
        """The ends of all logs, for a failed test."""
        paths = sorted([*self.folder.glob("*.log"), *self.folder.glob("logs/*.log")])
        return "\n".join(f"--- {path.name}\n{path.read_text()[-3000:]}" for path in paths)

    def _answers(self) -> bool:
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def _slots_started(self) -> int:
        log = self.folder / "worker.log"
        return log.read_text().count("slots_started") if log.exists() else 0

    def _start(self, name: str, command: list[str], **extra: str) -> subprocess.Popen[bytes]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("LLKD_")}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**kept, **self._environment, **extra},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._started.append(process)
        return process


def kill(*processes: subprocess.Popen[bytes]) -> None:
    """kill -9, and wait until they are gone."""
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()


def wait_until(happened: Callable[[], bool], *, what: str, within_s: float = PATIENCE_S) -> float:
    """Seconds until it happened."""
    start = time.monotonic()
    while not happened():
        waited = time.monotonic() - start
        assert waited < within_s, f"after {waited:.0f} s still not: {what}"
        time.sleep(0.05)
    return time.monotonic() - start


__all__ = ["LABELS", "Deployment", "kill", "wait_until"]
