"""Several workers label one dataset: faster, each text once, and whoever dies."""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy.engine import make_url

from core.config import Settings
from core.db.repositories.jobs import JobRepository
from core.db.session import Database
from core.db.tables import JobRow, JobShardRow, JobStageRow, TeacherAnswerRow
from core.ids import JobId
from core.lifecycle import Stage
from tests.acceptance.deployment import Deployment, Json, kill, wait_until
from tests.factories import TENANT
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from worker.sharing import SHARD_ROWS
from worker.slots import Slots

SLOW_CHILD = Path(__file__).with_name("slow_child.py")
ROWS = 10 * SHARD_ROWS
PAUSE_S = 0.2
pytestmark = pytest.mark.timeout(1500)


class Site:
    """One database and data folder, and workers whose teacher only waits."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.database = Database(make_url(url))
        self.asked = folder / "asked"
        self.asked.mkdir(parents=True)
        self._url = url

    def submit(self) -> JobId:
        rows = make_rows(ROWS, gold=0)
        dataset_id = add_dataset(self.database, self.folder, rows)
        spec = make_spec(teacher={"kind": "few_shot", "model": "local/tiny"})
        return add_distillation(self.database, dataset_id, spec=spec, cap_calls=2 * ROWS)

    @contextmanager
    def workers(self, count: int) -> Iterator[None]:
        settings = Settings(
            data_dir=self.folder,
            devices="cpu",
            database_url=SecretStr(self._url),
            poll_seconds=0.2,
            heartbeat_seconds=0.5,
        )
        command = (sys.executable, str(SLOW_CHILD), str(self.asked), str(PAUSE_S))
        running = [Slots(self.database, settings, command=command) for _ in range(count)]
        for slots in running:
            slots.start()
        try:
            yield
        finally:
            for slots in running:
                slots.begin_drain()
            for slots in running:
                slots.join()

    def label(self, job_id: JobId, *, meanwhile: Callable[[], None]) -> float:
        """Seconds of its label stage; the job is cancelled then."""
        meanwhile()
        wait_until(lambda: self._labelled(job_id) is not None, what="it is labelled")
        output = self._labelled(job_id)
        assert output is not None
        assert output["counts"]["answered"] == output["counts"]["asked"] == ROWS
        assert output["counts"]["cached"] == 0
        with self.database.write() as session:
            JobRepository(session).request_cancel(TENANT, job_id)
        wait_until(lambda: self.row(job_id).state.is_terminal, what="it is cancelled")
        seconds: float = output["effort"]["seconds"]
        return seconds

    def row(self, job_id: JobId) -> JobRow:
        with self.database.read() as session:
            return session.get_one(JobRow, job_id)

    def asked_at(self) -> dict[int, list[tuple[float, str]]]:
        """What each process asked its teacher, and when."""
        return {
            int(path.name): [
                (float(at), text)
                for at, _, text in (line.partition("\t") for line in path.read_text().splitlines())
            ]
            for path in self.asked.iterdir()
        }

    def _labelled(self, job_id: JobId) -> Json | None:
        with self.database.read() as session:
            found = session.get(JobStageRow, (job_id, Stage.LABEL))
            return None if found is None else found.output


@pytest.fixture
def new_site(tmp_path: Path, postgres_url: str) -> Iterator[Callable[[str], Site]]:
    """Sites beside each other, on one database."""
    sites: list[Site] = []

    def make(name: str) -> Site:
        sites.append(Site(tmp_path / name, postgres_url))
        return sites[-1]

    yield make
    for site in sites:
        site.database.dispose()


def nothing() -> None:
    """Undisturbed."""


def texts_a_second(asked: Iterable[list[tuple[float, str]]]) -> float:
    """From when all of these processes have begun until one of them has ended."""
    times = [[at for at, _ in texts] for texts in asked]
    begun, ended = max(map(min, times)), min(map(max, times))
    within = sum(begun < at <= ended for some in times for at in some)
    return within / (ended - begun)


class TestTwoWorkers:
    def test_label_faster_than_one_and_ask_each_text_once(
        self, new_site: Callable[[str], Site], figure: Callable[[str], None]
    ) -> None:
        one, two = new_site("one"), new_site("two")
        with one.workers(1):
            alone_s = one.label(one.submit(), meanwhile=nothing)
        alone = texts_a_second(one.asked_at().values())
        with one.database.write() as session:
            session.query(TeacherAnswerRow).delete()
        job_id = two.submit()
        with two.workers(2):
            together_s = two.label(job_id, meanwhile=nothing)
        asked = two.asked_at()
        assert len(asked) == 2
        assert min(len(texts) for texts in asked.values()) >= SHARD_ROWS
        assert sum(len(texts) for texts in asked.values()) == ROWS
        row = two.row(job_id)
        assert (row.attempt, row.spent_calls, row.held_calls) == (1, ROWS, 0)
        together = texts_a_second(asked.values())
        # Each waits for its teacher most of the time, however busy this machine is.
        assert together > 1.3 * alone
        figure(
            f"{ROWS} rows: {alone_s:.1f} s with one worker, {together_s:.1f} s with two; while "
            f"both label, {together / alone:.2f} times as many texts a second"
        )

    def test_lose_an_assistant_and_nothing_else(self, new_site: Callable[[str], Site]) -> None:
        site = new_site("one")
        job_id = site.submit()

        def kill_the_second() -> None:
            wait_until(lambda: len(site.asked_at()) == 1, what="the owner labels")
            (owner,) = site.asked_at()
            wait_until(lambda: len(site.asked_at()) == 2, what="another one does")
            (assistant,) = set(site.asked_at()) - {owner}
            os.kill(assistant, signal.SIGKILL)

        with site.workers(2):
            site.label(job_id, meanwhile=kill_the_second)
        counted = Counter(text for texts in site.asked_at().values() for _, text in texts)
        assert len(counted) == ROWS
        row = site.row(job_id)
        assert row.attempt == 1
        # One batch was in flight: it was asked twice at the most, and is counted so.
        assert ROWS <= row.spent_calls + row.held_calls <= ROWS + 16
        assert sum(counted.values()) <= ROWS + 16


class TestALostOwner:
    def test_leaves_what_its_assistant_labelled(
        self, production: Deployment, figure: Callable[[str], None]
    ) -> None:
        rows = make_rows(4 * SHARD_ROWS, gold=0)
        production.start_api()
        # It has asked a batch, holds a shard, and comes no further.
        owner = production.start_worker(fault="label.batch:sleep:3:1:600")
        job_id = production.submit(production.upload(rows))
        production.wait_for_place(job_id, Stage.LABEL, attempt=1)
        production.start_worker()

        def filled() -> int:
            with production.database.read() as session:
                done = session.query(JobShardRow).filter(JobShardRow.done_at.is_not(None))
                return done.filter_by(job_attempt=1).count()

        wait_until(lambda: filled() == 3, what="the assistant has filled what is open")
        assert len(list((production.folder / "logs").glob(f"{job_id}-assistant-*.log"))) == 1
        with production.database.read() as session:
            stored = session.query(TeacherAnswerRow).count()
        assert 3 * SHARD_ROWS <= stored < 4 * SHARD_ROWS
        kill(owner)
        wait_until(lambda: "label" in production.outputs(job_id), what="another one goes on")
        counts = production.outputs(job_id)["label"]["counts"]
        assert (counts["asked"], counts["cached"]) == (len(rows), 0)
        row = production.row(job_id)
        assert row.attempt == 2
        assert row.held_calls == 0
        figure(f"{stored} of {len(rows)} answers survived, {row.spent_calls} calls in all")
