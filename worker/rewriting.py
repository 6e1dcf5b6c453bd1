"""Writes a job's label files anew, entry by entry."""

from collections.abc import Callable, Iterator, Sequence

from core.artifacts import ArtifactStore
from core.label_files import LabelEntry, iter_labels, write_labels
from worker.protocol import Json

# Given the place of the first of some entries in their file, and the entries as they stand
# there: the same entries as they are to be.
Rewrite = Callable[[int, Sequence[Json]], Sequence[LabelEntry]]

# Where the label stage's output names its files; the second may be null.
FILES = ("labels", "evaluation_labels")


def rewrite_labels(artifacts: ArtifactStore, output: Json, rewrite: Rewrite) -> Json:
    """Write both label files anew; the output's entries that name the new ones."""
    return {
        name: None if output[name] is None else rewritten(artifacts, output[name], rewrite)
        for name in FILES
    }


def rewritten(artifacts: ArtifactStore, labels: str, rewrite: Rewrite) -> str:
    """Write one label file anew; returns its digest."""
    path = artifacts.scratch_path(".parquet")
    write_labels(path, _chunks(artifacts, labels, rewrite))
    return artifacts.put(path)


def _chunks(
    artifacts: ArtifactStore, labels: str, rewrite: Rewrite
) -> Iterator[Sequence[LabelEntry]]:
    first = 0
    for chunk in iter_labels(artifacts.path(labels)):
        yield rewrite(first, chunk)
        first += len(chunk)
