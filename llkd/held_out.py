"""Which pseudo-labelled texts are kept from training to tell when it should stop."""

import numpy as np

from llkd.bootstrap import class_f1
from llkd.types import FloatArray, IntArray, Pool

# A tenth is looked at and its confident half kept: enough to see a trend, little to lose.
_SHARE = 0.1
# Fewer texts than this and the score is noise; training then runs its planned length.
_FEWEST = 32
# More than this and the looks cost more than the training they save.
_MOST = 1000


def split_held_out(pool: Pool, *, seed: int) -> tuple[Pool, Pool | None]:
    """Split a pool into what is trained on and a confident slice that is not.

    Of a random tenth, each class gives the half that its teacher is surest of: gold is not
    needed, and the teacher's mistakes are rarer there. The other half is trained on.

    Returns:
        The training pool and the held-out one, or None where it would be too small.
    """
    generator = np.random.default_rng([seed, len(pool)])
    looked_at = generator.permutation(len(pool))[: round(len(pool) * _SHARE)]
    held = np.concatenate([_surest_half(pool, looked_at, c) for c in range(pool.class_count)])
    if len(held) < _FEWEST:
        return pool, None
    if len(held) > _MOST:
        held = generator.permutation(held)[:_MOST]
    held = np.sort(held)
    trained = np.setdiff1d(np.arange(len(pool)), held)
    return pool.take(trained), pool.take(held)


def held_out_score(probabilities: FloatArray, labels: IntArray) -> float:
    """Macro-F1 against the pseudo-labels, over the classes that occur among them."""
    predicted = probabilities.argmax(axis=1)
    hits, gold, answers = (
        np.bincount(classes, minlength=probabilities.shape[1])
        for classes in (labels[predicted == labels], labels, predicted)
    )
    return float(class_f1(hits, gold, answers)[gold > 0].mean())


def _surest_half(pool: Pool, among: IntArray, c: int) -> IntArray:
    """Of these texts, the more confident half of one class; unknown confidences come last."""
    members = among[pool.labels[among] == c]
    confidence = np.nan_to_num(pool.confidence[members], nan=-1.0)
    order = np.argsort(-confidence, kind="stable")
    surest: IntArray = members[order[: (len(members) + 1) // 2]]
    return surest
