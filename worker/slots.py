"""The slots of a worker: one thread a device, that waits for a bell and runs what is ready."""

import os
import threading
from collections.abc import Sequence
from datetime import timedelta

import structlog

from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.lifecycle import Queue
from worker.devices import Device, find_devices
from worker.drain import Drain
from worker.durability import OUTAGE
from worker.garbage import GarbageCollector
from worker.launch import CHILD
from worker.leftovers import sweep
from worker.reaper import Reaper
from worker.supervisor import Supervisor

log = structlog.get_logger(__name__)


class Slot:
    """One device and the bell that wakes it."""

    def __init__(self, device: Device, supervisor: Supervisor, drain: Drain) -> None:
        self.device = device
        self._supervisor = supervisor
        self._drain = drain
        self._bell = threading.Event()

    def ring(self) -> None:
        """There may be work; a ring during a job is heard after it."""
        self._bell.set()

    def serve(self, *, poll_s: float) -> None:
        """Run jobs until the worker drains; a poll finds what no bell told of."""
        while not self._drain.is_set():
            self._bell.clear()
            self._run_ready()
            self._bell.wait(poll_s)

    def _run_ready(self) -> None:
        try:
            while not self._drain.is_set() and self._supervisor.run_next(self.device):
                pass
        except OUTAGE as error:
            log.warning("claim_missed", device=self.device.name, error=type(error).__name__)
        except Exception:
            # A slot that died here would look like a worker without work. The job it
            # held comes back when its lease runs out.
            log.exception("slot_failed", device=self.device.name)


class Slots:
    """Every thread of a worker process, started and drained together."""

    def __init__(
        self, database: Database, settings: Settings, *, command: Sequence[str] = CHILD
    ) -> None:
        self._drain = Drain()
        self._settings = settings
        self._database = database
        devices = find_devices(settings.devices, os.environ)
        supervisor = Supervisor(
            database, settings, slots=len(devices), drain=self._drain, command=command
        )
        self._slots = [Slot(device, supervisor, self._drain) for device in devices]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        sweep(self._settings.data_dir)
        reaper = Reaper(
            self._database,
            lease=self._settings.lease,
            settle=timedelta(seconds=self._settings.heartbeat_seconds),
        )
        self._threads = [
            threading.Thread(
                target=slot.serve,
                kwargs={"poll_s": self._settings.poll_seconds},
                name=f"slot-{slot.device.name}",
                daemon=True,
            )
            for slot in self._slots
        ]
        self._threads.append(
            threading.Thread(
                target=reaper.run,
                args=(self._drain,),
                kwargs={"every_s": self._settings.reap_seconds},
                name="reaper",
                daemon=True,
            )
        )
        collector = GarbageCollector(
            self._database, ArtifactStore(self._settings.data_dir / "artifacts")
        )
        self._threads.append(
            threading.Thread(target=collector.run, args=(self._drain,), name="garbage", daemon=True)
        )
        for thread in self._threads:
            thread.start()
        log.info("slots_started", devices=[slot.device.name for slot in self._slots])

    def ring(self, queue: Queue) -> None:
        """Wake the slots that serve this queue."""
        for slot in self._slots:
            if queue in slot.device.queues:
                slot.ring()

    def begin_drain(self) -> None:
        """Claim no more, and hand running jobs over. Returns at once; safe in a signal handler."""
        self._drain.begin()
        for slot in self._slots:
            slot.ring()

    def join(self) -> None:
        """Wait until every job is handed over."""
        for thread in self._threads:
            thread.join()
