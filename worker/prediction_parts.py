"""The finished parts of a prediction job: stored, found again by a later attempt, joined."""

import time
from collections.abc import Sequence

import pyarrow as pa
import structlog

from core.artifacts import ArtifactDamaged
from core.db.repositories.references import PARTS
from core.lifecycle import EventType
from core.prediction_files import read_predictions, write_predictions
from llkd.engines.base import EngineName
from worker.job import OpenJob
from worker.prediction_table import PredictionTally
from worker.protocol import CheckpointSaved

log = structlog.get_logger(__name__)

# Also a row group of the finished file: little enough to do again, and seconds of work.
PART_ROWS = 4096


def begun_with(job: OpenJob) -> EngineName | None:
    """The engine that made the published parts; None if there are none, or nobody knows it here."""
    name = (job.row.checkpoint or {}).get("engine")
    return EngineName(name) if name in list(EngineName) else None


class PredictionParts:
    """One attempt's parts, those of the attempts before it included.

    A part is an artifact, and so is the list of parts; nothing of either is found but
    through the pointer in the job's row, which the supervisor publishes. So a ghost can
    write what it likes.

    Args:
        engine: what computes the answers.

    Attributes:
        tally: of all entries in the parts.
    """

    def __init__(self, job: OpenJob, *, labels: Sequence[str], engine: EngineName) -> None:
        self._job = job
        self._engine = engine
        self._digests: list[str] = []
        self._published = 0
        self._published_at = time.monotonic()
        self.tally = PredictionTally(labels)
        self._resume()

    @property
    def rows(self) -> int:
        """Entries in all parts: the place in the dataset to go on from."""
        return self.tally.rows

    def add(self, table: pa.Table) -> None:
        """Store the next part, and have it published if that was some time ago."""
        path = self._job.artifacts.scratch_path(".parquet")
        write_predictions(path, [table])
        self._digests.append(self._job.artifacts.put(path))
        self.tally.add(table)
        # The disk knows it, nobody else does: a crash here costs what was not published.
        self._job.faults.reach("predict.part")
        if time.monotonic() - self._published_at >= self._job.assignment.checkpoint_seconds:
            self.publish()

    def publish(self) -> None:
        """Have a later attempt find the parts there are."""
        if len(self._digests) == self._published:
            return
        members = {f"{place:08d}": digest for place, digest in enumerate(self._digests)}
        tree = self._job.artifacts.put_manifest(members)
        pointer = {PARTS: tree, "step": self.rows, "engine": self._engine.value}
        self._job.tell(CheckpointSaved(pointer))
        self._job.book.tell_sometimes(EventType.CHECKPOINT_SAVED, step=self.rows)
        self._published, self._published_at = len(self._digests), time.monotonic()

    def join(self) -> str:
        """The whole file, as an artifact: the same bytes however often it was interrupted."""
        path = self._job.artifacts.scratch_path(".parquet")
        files = map(self._job.artifacts.path, self._digests)
        write_predictions(path, map(read_predictions, files))
        return self._job.artifacts.put(path)

    def _resume(self) -> None:
        """Take over the published parts, up to the first that is not as it was stored.

        Parts that another engine made are made again: one file is one engine's.
        """
        pointer = self._job.row.checkpoint
        if pointer is None or begun_with(self._job) is not self._engine:
            return
        artifacts = self._job.artifacts
        try:
            for _, digest in sorted(artifacts.members(pointer[PARTS]).items()):
                artifacts.verify(digest)
                self.tally.add(read_predictions(artifacts.path(digest)))
                self._digests.append(digest)
        except ArtifactDamaged as error:
            log.warning("part_damaged", reason=str(error))
        self._published = len(self._digests)
        log.info("prediction_resumed", rows=self.rows)
