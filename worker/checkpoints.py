"""When a training is saved, and where it goes on from after a break."""

import shutil
import time

import structlog

from core.lifecycle import EventType
from llkd.checkpoint import CheckpointPointer, read_checkpoint, write_checkpoint
from llkd.errors import CheckpointDamaged
from llkd.students.base import Student
from llkd.training_state import TrainingState
from worker.job import Job
from worker.protocol import CheckpointSaved, Json

# Beside the pointer in the job's row: the garbage collector reads it there, too.
_DONE = "finished"

log = structlog.get_logger(__name__)


class Checkpoints:
    """One attempt's checkpoints of one train stage.

    Each attempt writes into a folder of its own, so a ghost can never touch what the
    attempt after it wrote. The supervisor publishes a pointer, and only then deletes
    the checkpoint that was published before it.

    Attributes:
        finished: what came of the candidates that were trained before the present one.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._root = job.assignment.checkpoints_dir
        self._saved_at = time.monotonic()
        self._published: CheckpointPointer | None = None
        self.finished: list[Json] = []
        published = job.row.checkpoint
        if published is not None:
            self._published = CheckpointPointer.from_json(published)
            self.finished = list(published.get(_DONE, ()))
        self._sweep(keep=None if published is None else published["uri"])

    def resume(self, student: Student) -> TrainingState | None:
        """Restore the student from the published checkpoint; None to start from the beginning.

        Only the first student of an attempt has anything to go on from.
        """
        pointer, self._published = self._published, None
        if pointer is None:
            return None
        try:
            state = read_checkpoint(pointer, student=student)
        except CheckpointDamaged as error:
            log.warning("checkpoint_damaged", reason=str(error))
            return None
        log.info("training_resumed", step=pointer.step)
        return state

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._saved_at >= self._job.assignment.checkpoint_seconds

    def save(self, student: Student, state: TrainingState) -> None:
        """Write a checkpoint and have its pointer published."""
        pointer = write_checkpoint(
            self._root / str(self._job.assignment.attempt),
            attempt=self._job.assignment.attempt,
            student=student,
            state=state,
        )
        # The disk knows it, nobody else does: what a crash here leaves is swept later.
        self._job.faults.reach("train.checkpoint")
        self._job.tell(CheckpointSaved({**pointer.to_json(), _DONE: list(self.finished)}))
        self._job.book.tell_sometimes(EventType.CHECKPOINT_SAVED, step=pointer.step)
        self._saved_at = time.monotonic()

    def _sweep(self, *, keep: str | None) -> None:
        """Delete what earlier attempts left, but for the published checkpoint."""
        if not self._root.is_dir():
            return
        for folder in self._root.iterdir():
            if int(folder.name) < self._job.assignment.attempt:
                for checkpoint in folder.iterdir():
                    if str(checkpoint) != keep:
                        shutil.rmtree(checkpoint, ignore_errors=True)
