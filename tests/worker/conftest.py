"""A supervisor on a real database, with short times and a scripted child."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.config import Settings
from core.db.session import Database
from core.db.tables import JobEventRow, JobRow
from core.ids import JobId
from tests.factories import make_job
from worker.devices import CPU
from worker.drain import Drain
from worker.supervisor import Supervisor

SCRIPTED_CHILD = Path(__file__).with_name("scripted_child.py")


class Stage:
    """One job's stage: sets it up, runs it with a scripted child, looks at the row."""

    def __init__(self, database: Database, folder: Path, **settings: Any) -> None:
        self.database = database
        self.folder = folder
        times: dict[str, Any] = {
            "lease_seconds": 5.0,
            "heartbeat_seconds": 0.2,
            "kill_grace_seconds": 0.5,
            "stalled_seconds": 30.0,
        }
        self.settings = Settings(
            data_dir=folder,
            database_url=SecretStr(database.url.render_as_string(hide_password=False)),
            **times | settings,
        )
        self.drain = Drain()

    def add_job(self, **given: Any) -> JobId:
        with self.database.write() as session:
            return make_job(session, **given).id

    def run(self, *part: str) -> bool:
        """Run the next job to the end of this attempt; False when there was none."""
        return self.supervisor(*part).run_next(CPU)

    @contextmanager
    def running(self, *part: str) -> Iterator[threading.Thread]:
        """Meanwhile, the next job runs in a slot's thread; it must end by itself afterwards."""
        thread = threading.Thread(target=self.run, args=part)
        thread.start()
        try:
            yield thread
        finally:
            thread.join(20)
        assert not thread.is_alive()

    def job(self, job_id: JobId) -> JobRow:
        with self.database.read() as session:
            row = session.get(JobRow, job_id)
            assert row is not None
            return row

    def change(self, job_id: JobId, **values: Any) -> None:
        with self.database.write() as session:
            row = session.get(JobRow, job_id)
            for name, value in values.items():
                setattr(row, name, value)

    def events(self, job_id: JobId) -> list[str]:
        with self.database.read() as session:
            rows = session.query(JobEventRow).filter_by(job_id=job_id).order_by(JobEventRow.seq)
            return [row.type for row in rows]

    def told(self, path: Path) -> dict[str, Any]:
        """The assignment that a scripted child wrote down."""
        assignment: dict[str, Any] = json.loads(path.read_text())
        return assignment

    def supervisor(self, *part: str) -> Supervisor:
        return Supervisor(
            self.database,
            self.settings,
            slots=1,
            drain=self.drain,
            command=(sys.executable, str(SCRIPTED_CHILD), *part),
        )


@pytest.fixture
def stage(database: Database, tmp_path: Path) -> Stage:
    return Stage(database, tmp_path / "var")


def wait_until(happened: Callable[[], bool], *, within_s: float = 10.0) -> float:
    """Seconds until it happened; fails when it did not."""
    start = time.monotonic()
    while not happened():
        assert time.monotonic() - start < within_s, "it did not happen in time"
        time.sleep(0.02)
    return time.monotonic() - start
