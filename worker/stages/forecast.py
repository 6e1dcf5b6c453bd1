"""A pilot's last stage: what would more answers bring?"""

from collections.abc import Mapping

import numpy as np

from core.label_files import Role, iter_labels
from core.lifecycle import Stage
from llkd.errors import ModelNotAllowed
from llkd.learning_curve import Measuring, forecast
from llkd.specs import OFFLINE_MODEL
from worker.embedding import embed_texts, find_encoder
from worker.job import Job
from worker.pool import check_diversity, load_answers, load_measuring
from worker.protocol import Json

# Fewer gold rows measure worse than a third of the pilot's own answers.
FEWEST_GOLD = 50
MOST_GOLD = 1000
GROWTH = 2


def forecast_job(job: Job, outputs: Mapping[Stage, Json]) -> Json:
    """Draw the learning curve of a cheap student, and go on along it to the whole pool.

    Raises:
        InsufficientLabelDiversity: too few labels, or too few texts of each.
        ModelNotAllowed: the operator does not allow the encoder that is needed.
    """
    pool = load_answers(job, outputs).pool
    check_diversity(pool, job.spec.label_names)
    encoder = find_encoder(job)
    if encoder is None:
        raise ModelNotAllowed(f"a pilot needs {OFFLINE_MODEL!r}, which is not allowed here")
    texts, gold = load_measuring(job, outputs)
    measuring = None
    if len(texts) >= FEWEST_GOLD:
        drawn = np.random.default_rng(job.spec.training.seed).permutation(len(texts))[:MOST_GOLD]
        vectors = embed_texts(job, [texts[i] for i in drawn], encoder=encoder)
        measuring = Measuring(vectors, gold[drawn])
    points = forecast(
        embed_texts(job, pool.texts, encoder=encoder),
        pool.labels,
        class_count=pool.class_count,
        measuring=measuring,
        answers=_answers(len(pool), _trainable(job, outputs)),
        seed=job.spec.training.seed,
    )
    return {
        "forecast": {
            "against": "teacher" if measuring is None else "gold",
            "measured_on": len(pool) // 3 if measuring is None else len(measuring.labels),
            "points": [vars(point) for point in points],
        }
    }


def _trainable(job: Job, outputs: Mapping[Stage, Json]) -> int:
    """Texts that could be asked about and trained on."""
    chunks = iter_labels(job.artifacts.path(outputs[Stage.LABEL]["labels"]))
    return sum(entry["role"] == Role.TRAIN for chunk in chunks for entry in chunk)


def _answers(bought: int, rows: int) -> list[int]:
    """Twice as many each time, up to all rows."""
    counts = [bought]
    while counts[-1] * GROWTH < rows:
        counts.append(counts[-1] * GROWTH)
    return counts if counts[-1] >= rows else [*counts, rows]
