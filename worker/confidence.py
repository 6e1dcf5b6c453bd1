"""Which confidence of the pseudo-labels a job's selection reads: its passport."""

from dataclasses import replace

import numpy as np

from core.artifacts import ArtifactStore
from llkd.confidence_figures import tied_share
from llkd.estimated_confidence import (
    ConfidenceEstimate,
    choose_confidence,
    estimate_confidence,
    read_confidence,
)
from llkd.specs import FewShotTeacher
from llkd.types import FloatArray, Pool
from worker.embedding import embed_texts, find_encoder
from worker.job import Job
from worker.protocol import Json

GIVEN = "given"
ESTIMATED = "estimated"
# Fewer texts cannot be cross-validated to any purpose.
FEWEST = 50
ESTIMATED_ARRAYS = ("values", "predicted", "top")


def make_passport(job: Job, pool: Pool) -> Json:
    """Decide, as the job's `confidence` asks, and store what was estimated.

    A few-shot teacher's confidences are calibrated and come from the same vectors that an
    estimate would: by default they are taken as they are.
    """
    # It tells of the teacher: how sure a person was is not known.
    pool = replace(pool, confidence=np.where(pool.is_teachers, pool.confidence, np.nan))
    known = ~np.isnan(pool.confidence)
    passport: Json = {
        "used": GIVEN,
        "known": int(known.sum()),
        "unknown": int((pool.is_teachers & ~known).sum()),
        "distinct": len(np.unique(pool.confidence[known])),
        "tied": tied_share(pool.confidence[known]),
        "skill": None,
        "agreement": None,
    }
    wish = job.spec.confidence
    trusts_given = wish == "given" or (
        wish == "auto" and isinstance(job.spec.teacher, FewShotTeacher)
    )
    encoder = find_encoder(job)
    labels = np.unique(pool.labels)
    if trusts_given or encoder is None or len(pool) < FEWEST or len(labels) < 2:
        return {"confidence": passport, "estimated_confidence": None}
    vectors = embed_texts(job, pool.texts, encoder=encoder)
    estimate = estimate_confidence(vectors, pool, seed=job.spec.training.seed)
    passport |= {
        "used": ESTIMATED if wish == ESTIMATED else choose_confidence(pool, estimate),
        "skill": estimate.skill,
        "agreement": estimate.agreement,
    }
    return {"confidence": passport, "estimated_confidence": _store(job.artifacts, estimate)}


def confidence_of(artifacts: ArtifactStore, given: FloatArray, label_output: Json) -> FloatArray:
    """[N], what the passport says to read of a pool with these given confidences."""
    used = label_output.get("confidence", {}).get("used", GIVEN)
    estimate = load_estimate(artifacts, label_output)
    if estimate is None:
        assert used == GIVEN, "what was chosen was stored"
        return given
    return read_confidence(used, given, estimate.values)


def load_estimate(artifacts: ArtifactStore, label_output: Json) -> ConfidenceEstimate | None:
    """What the label stage estimated, if it did."""
    stored = label_output.get("estimated_confidence")
    if stored is None:
        return None
    passport = label_output["confidence"]
    with artifacts.open(stored) as file, np.load(file, allow_pickle=False) as arrays:
        return ConfidenceEstimate(
            **{name: arrays[name] for name in ESTIMATED_ARRAYS},
            skill=passport["skill"],
            agreement=passport["agreement"],
        )


def _store(artifacts: ArtifactStore, estimate: ConfidenceEstimate) -> str:
    path = artifacts.scratch_path(".npz")
    arrays = {name: getattr(estimate, name) for name in ESTIMATED_ARRAYS}
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
    return artifacts.put(path)
