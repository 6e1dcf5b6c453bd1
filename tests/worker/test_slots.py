"""Slots find work by the bell and without it, and every device gets what is meant for it."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from core.config import Settings
from core.db.session import Database
from core.db.tables import JobRow
from core.lifecycle import JobState, Queue
from core.queue import NUDGE, make_celery
from tests.factories import make_job
from tests.worker.conftest import SCRIPTED_CHILD, wait_until
from worker.devices import CPU, Device, find_devices, threads_per_slot
from worker.drain import Drain
from worker.nudge import register_nudge
from worker.slots import Slot, Slots
from worker.supervisor import Supervisor

GPU = Device("gpu0", Queue.GPU, "0")


def make_slots(database: Database, folder: Path, **given: Any) -> Slots:
    settings = Settings(
        data_dir=folder,
        devices="cpu",
        database_url=SecretStr(database.url.render_as_string(hide_password=False)),
        **given,
    )
    return Slots(database, settings, command=("python3", str(SCRIPTED_CHILD), "succeed"))


class CountingSupervisor(Supervisor):
    """Has `ready` jobs; fails on the way as often as it is told."""

    def __init__(self, ready: int = 0, *failures: Exception) -> None:
        self.ready, self.failures, self.calls = ready, list(failures), 0

    def run_next(self, device: Device) -> bool:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        self.ready -= 1
        return self.ready >= 0


class TestASlot:
    def test_finds_a_job_by_polling_alone(self, sqlite_database: Database, tmp_path: Path) -> None:
        slots = make_slots(sqlite_database, tmp_path, poll_seconds=0.1)
        slots.start()
        with sqlite_database.write() as session:
            make_job(session)
        wait_until(lambda: _ended(sqlite_database) == 1)
        slots.begin_drain()
        slots.join()

    def test_finds_a_job_by_the_bell_long_before_its_poll(
        self, sqlite_database: Database, tmp_path: Path
    ) -> None:
        slots = make_slots(sqlite_database, tmp_path, poll_seconds=600)
        slots.start()
        time.sleep(0.2)
        with sqlite_database.write() as session:
            make_job(session)
        slots.ring(Queue.ANY)
        wait_until(lambda: _ended(sqlite_database) == 1)
        slots.begin_drain()
        slots.join()

    def test_runs_until_nothing_is_ready(self) -> None:
        supervisor = CountingSupervisor(5)
        with _serving(Slot(CPU, supervisor, drain := Drain()), drain):
            wait_until(lambda: supervisor.calls == 6)

    def test_a_thousand_rings_are_one(self) -> None:
        supervisor = CountingSupervisor(0)
        slot = Slot(CPU, supervisor, drain := Drain())
        with _serving(slot, drain):
            wait_until(lambda: supervisor.calls == 1)
            for _ in range(1000):
                slot.ring()
            time.sleep(0.3)
        assert supervisor.calls < 1000

    def test_outlives_an_outage_and_a_defect(self) -> None:
        failures = (OperationalError("", {}, Exception("gone")), RuntimeError("a defect"))
        supervisor = CountingSupervisor(1, *failures)
        slot = Slot(CPU, supervisor, drain := Drain())
        with _serving(slot, drain, poll_s=0.01):
            wait_until(lambda: supervisor.ready < 0)


class TestDraining:
    def test_wakes_a_slot_that_waits(self, sqlite_database: Database, tmp_path: Path) -> None:
        slots = make_slots(sqlite_database, tmp_path, poll_seconds=600, reap_seconds=600)
        slots.start()
        begun = time.monotonic()
        slots.begin_drain()
        slots.join()
        assert time.monotonic() - begun < 2


class TestANudge:
    @pytest.fixture
    def rung(self) -> list[Queue]:
        return []

    def test_rings_for_its_queue(self, rung: list[Queue]) -> None:
        celery = make_celery(None)
        register_nudge(celery, rung.append)
        celery.tasks[NUDGE].apply(args=["gpu"]).get()
        assert rung == [Queue.GPU]

    @pytest.mark.parametrize("queue", ["unknown", "", 7, None, ["any"]])
    def test_for_no_queue_of_ours_is_ignored(self, rung: list[Queue], queue: object) -> None:
        celery = make_celery(None)
        register_nudge(celery, rung.append)
        celery.tasks[NUDGE].apply(args=[queue]).get()
        assert rung == []


class TestDevices:
    def test_a_gpu_slot_serves_its_own_queue_and_any(self) -> None:
        assert GPU.queues == (Queue.GPU, Queue.ANY)
        assert CPU.queues == (Queue.CPU, Queue.ANY)

    @pytest.mark.parametrize(
        ("setting", "visible"),
        [("cpu", [""]), ("0", ["0"]), ("0,1", ["0", "1"]), (" 2 , 0 ", ["2", "0"])],
    )
    def test_the_setting_names_them(self, setting: str, visible: list[str]) -> None:
        assert [device.visible for device in find_devices(setting, {})] == visible

    @pytest.mark.parametrize("setting", ["", "gpu", "0,0", "0;1", "-1"])
    def test_a_setting_that_names_none_is_refused(self, setting: str) -> None:
        with pytest.raises(ValueError, match="LLKD_DEVICES"):
            find_devices(setting, {})

    def test_gpus_hidden_from_this_process_stay_hidden(self) -> None:
        assert find_devices("auto", {"CUDA_VISIBLE_DEVICES": ""}) == (CPU,)
        assert find_devices("auto", {"CUDA_VISIBLE_DEVICES": "3"})[0].visible == "3"

    def test_without_a_gpu_there_is_one_cpu_slot(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", "")
        assert find_devices("auto", {}) == (CPU,)

    def test_gpus_are_counted(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        listing = tmp_path / "nvidia-smi"
        listing.write_text("#!/bin/sh\necho 'GPU 0: A (UUID: x)'; echo 'GPU 1: B (UUID: y)'\n")
        listing.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
        assert [device.name for device in find_devices("auto", {})] == ["gpu0", "gpu1"]

    def test_slots_share_the_cores_once(self) -> None:
        assert threads_per_slot(3, slots=8) == 3
        assert threads_per_slot(0, slots=10_000) == 1


class _serving:  # noqa: N801 - reads as what happens inside
    """Meanwhile, the slot serves in a thread of its own."""

    def __init__(self, slot: Slot, drain: Drain, *, poll_s: float = 600) -> None:
        self._slot, self._drain = slot, drain
        self._thread = threading.Thread(target=slot.serve, kwargs={"poll_s": poll_s})

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._drain.begin()
        self._slot.ring()
        self._thread.join(10)
        assert not self._thread.is_alive()


def _ended(database: Database) -> int:
    with database.read() as session:
        return session.query(JobRow).filter_by(state=JobState.SUCCEEDED).count()
