"""Vectors of a job's texts, for the cheap models that judge answers and choose what to ask."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llkd.base_models import ModelSource, locate
from llkd.errors import ModelNotAllowed
from llkd.specs import OFFLINE_MODEL
from worker.job import Job

TEXTS_AT_ONCE = 512


def find_encoder(job: Job) -> Path | None:
    """The offline encoder's folder, or None where the operator does not allow it."""
    source = ModelSource(job.models_dir, job.assignment.allowed_models)
    try:
        return locate(OFFLINE_MODEL, revision=None, source=source)
    except ModelNotAllowed:
        return None


def embed_texts(job: Job, texts: Sequence[str], *, encoder: Path) -> NDArray[np.float32]:
    """[N, H], of length 1; says that the job is alive as it goes.

    Raises:
        Released: the process was asked to stop.
    """
    # Imported here: torch takes seconds, and most jobs embed nothing.
    from llkd.teachers.local_embedder import LocalEmbedder

    embedder = LocalEmbedder.from_folder(encoder)
    parts = []
    for start in range(0, len(texts), TEXTS_AT_ONCE):
        # Three depths of float64 for a whole pool would not fit; the last one in float32 does.
        vectors = embedder.embed(texts[start : start + TEXTS_AT_ONCE])[:, -1]
        parts.append(vectors.astype(np.float32))
        # Nothing more of the stage is done, but whoever supervises hears that we live.
        job.progress.advance(job.progress.units_done)
        job.stop.check()
    return np.concatenate(parts)
