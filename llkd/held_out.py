"""Which texts are kept from training to tell when it should stop."""

from dataclasses import replace

import numpy as np

from llkd.bootstrap import class_f1
from llkd.types import FloatArray, IntArray, Pool

# A tenth is looked at and its confident half kept: enough to see a trend, little to lose.
_SHARE = 0.1
# Fewer texts than this and the score is noise; training then runs its planned length.
_FEWEST = 32
# More than this and the looks cost more than the training they save.
_MOST = 1000
# Gold on fewer texts than this misleads more than confident pseudo-labels do.
_ENOUGH_GOLD = 500


def split_held_out(pool: Pool, *, seed: int) -> tuple[Pool, Pool | None]:
    """The training pool, and the held-out one or None: see `find_held_out`.

    Where enough gold is known, the labels of the held-out texts are gold's.
    """
    held = find_held_out(pool, seed=seed)
    trained = pool.take(trained_places(pool, held))
    if not len(held):
        return trained, None
    kept = pool.take(held)
    if _has_enough_gold(pool):
        assert kept.gold is not None
        kept = replace(kept, labels=kept.gold)
    return trained, kept


def trained_places(pool: Pool, held: IntArray) -> IntArray:
    """Places in the pool that are not held out, in order."""
    return np.setdiff1d(np.arange(len(pool)), held)


def find_held_out(pool: Pool, *, seed: int) -> IntArray:
    """Places of a slice that is kept from training, in order.

    Where gold is known of at least 500 texts, and they are not more than a tenth of the
    pool, such texts are drawn by lot. Else, of a random tenth, each class gives the half
    that its teacher is surest of: gold is not needed, and the teacher's mistakes are rarer
    there. The other half is trained on. What a person has labelled is always trained on: it was
    given to be learned, and says nothing of how well a student repeats its teacher.

    Returns:
        None of them where the slice would be too small.
    """
    generator = np.random.default_rng([seed, len(pool)])
    if _has_enough_gold(pool):
        assert pool.gold is not None
        known = generator.permutation(np.flatnonzero((pool.gold >= 0) & pool.is_teachers))
        return np.sort(known[: min(_MOST, round(len(pool) * _SHARE))])
    looked_at = generator.permutation(len(pool))[: round(len(pool) * _SHARE)]
    looked_at = looked_at[pool.is_teachers[looked_at]]
    held = np.concatenate([_surest_half(pool, looked_at, c) for c in range(pool.class_count)])
    if len(held) < _FEWEST:
        return np.arange(0)
    if len(held) > _MOST:
        held = generator.permutation(held)[:_MOST]
    return np.sort(held)


def held_out_score(probabilities: FloatArray, labels: IntArray) -> float:
    """Macro-F1 against the held-out labels, over the classes that occur among them."""
    predicted = probabilities.argmax(axis=1)
    hits, gold, answers = (
        np.bincount(classes, minlength=probabilities.shape[1])
        for classes in (labels[predicted == labels], labels, predicted)
    )
    return float(class_f1(hits, gold, answers)[gold > 0].mean())


def _has_enough_gold(pool: Pool) -> bool:
    """Whether a tenth of the pool can be held out with enough gold."""
    known = 0 if pool.gold is None else int(((pool.gold >= 0) & pool.is_teachers).sum())
    return min(known, round(len(pool) * _SHARE)) >= _ENOUGH_GOLD


def _surest_half(pool: Pool, among: IntArray, c: int) -> IntArray:
    """Of these texts, the more confident half of one class; unknown confidences come last."""
    members = among[pool.labels[among] == c]
    confidence = np.nan_to_num(pool.confidence[members], nan=-1.0)
    order = np.argsort(-confidence, kind="stable")
    surest: IntArray = members[order[: (len(members) + 1) // 2]]
    return surest
