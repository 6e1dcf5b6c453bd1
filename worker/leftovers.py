"""What killed processes left on the disk, and when it goes."""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

SCRATCH = "scratch"
# Long after any child that wrote there can be alive: its job's deadline is days at most.
OLD = {
    Path(SCRATCH): timedelta(days=2),
    Path("artifacts", "incoming"): timedelta(days=2),
    # A job may wait in the queue for long; without its checkpoint it trains from the start.
    Path("checkpoints"): timedelta(days=30),
}


@contextmanager
def temporary_folder(data_dir: Path) -> Iterator[str]:
    """A folder for one child's temporary files, removed by its supervisor."""
    root = data_dir.resolve() / SCRATCH
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root, ignore_cleanup_errors=True) as folder:
        yield folder


def sweep(data_dir: Path) -> None:
    """Remove what no living process can still want; call when a worker starts."""
    for folder, age in OLD.items():
        oldest = time.time() - age.total_seconds()
        root = data_dir / folder
        for path in root.iterdir() if root.is_dir() else ():
            if path.stat().st_mtime < oldest:
                log.info("leftover_removed", path=str(path))
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
