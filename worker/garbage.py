"""Removes stored files that nothing points at any more: in every worker, without a leader."""

from datetime import timedelta

import structlog

from core.artifacts import ArtifactDamaged, ArtifactStore
from core.db.repositories.references import find_references
from core.db.session import Database
from worker.drain import Drain
from worker.durability import OUTAGE

log = structlog.get_logger(__name__)

# For how long a file stays after it was stored, and after the last row that names it was
# deleted. It is stored before its row is written, and an outage of the database may keep
# the two apart for hours.
GRACE = timedelta(days=1)
EVERY = timedelta(hours=1)


class GarbageCollector:
    """Deletes the files of datasets and models a day after these were deleted."""

    def __init__(self, database: Database, artifacts: ArtifactStore) -> None:
        self._database = database
        self._artifacts = artifacts

    def collect(self) -> int:
        """Delete once; returns how many files went.

        Raises:
            ArtifactDamaged: a model's list of files cannot be read, so nobody knows what
                is in use; nothing was deleted.
            sqlalchemy.exc.OperationalError: the database does not answer.
        """
        # Listed first: what is stored from here on is not among the candidates.
        candidates = self._artifacts.older_than(GRACE)
        with self._database.read() as session:
            used = find_references(session, grace=GRACE)
        kept = set(used.files)
        for tree in used.trees:
            kept |= {tree, *self._artifacts.members(tree).values()}
        return sum(
            self._artifacts.remove(digest, older_than=GRACE)
            for digest in candidates
            if digest not in kept
        )

    def run(self, drain: Drain) -> None:
        """Collect every hour until the worker comes to its end."""
        while True:
            try:
                removed = self.collect()
            except (*OUTAGE, ArtifactDamaged, OSError) as error:
                log.warning("garbage_kept", error=type(error).__name__, reason=str(error))
            else:
                log.info("garbage_collected", files=removed)
            if drain.wait(EVERY.total_seconds()):
                return
