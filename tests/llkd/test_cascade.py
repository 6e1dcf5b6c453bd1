"""The promise of a cascade holds over many draws, and would not without the bound."""

import numpy as np
import pytest

from llkd import cascade
from llkd.binomial import exact_lower
from llkd.cascade import Below, certify, halve
from llkd.cascade_curve import CURVE_TARGETS, cascade_curve
from llkd.certification import Halves
from llkd.threshold_path import Observed, threshold_path
from tests.llkd.planted import WORLDS, World

DRAWS = 80
DELTA = 0.05
# Of 80 draws 4 may miss; more than 10 would have a probability of 0.3 % at that risk.
MOST_MISSES = 10


def agreement_of(world: Observed, thresholds: np.ndarray, below: Below) -> float:
    given = world.answered(thresholds)
    if below is Below.TEACHER:
        return 1 - float((given & ~world.agrees).mean())
    return float(world.agrees[given].mean()) if given.any() else 1.0


def tempting_target(world: World, others: Observed, *, below: Below) -> float:
    """A target that thresholds which answer some 60 % of the texts just miss."""
    path = threshold_path(others, class_count=world.class_count)
    shares = np.array([others.answered(thresholds).mean() for thresholds in path])
    step = int(np.abs(shares - 0.6).argmin())
    return agreement_of(others, path[step], below) + 0.002


def misses(world: World, *, below: Below, rows: int = 200) -> int:
    """Of 80 draws, those whose thresholds break the target on many others."""
    generator = np.random.default_rng(7)
    others = world.draw(40_000, generator)
    target = tempting_target(world, others, below=below)
    missed = 0
    for _ in range(DRAWS):
        shaping, certifying = world.draw(rows, generator), world.draw(rows, generator)
        found = certify(
            shaping,
            certifying,
            class_count=world.class_count,
            target=target,
            delta=DELTA,
            below=below,
        )
        missed += agreement_of(others, found.thresholds, below) < target
    return missed


def both(world: World, rows: int, *, target: float, delta: float, below: Below):
    generator = np.random.default_rng(3)
    return certify(
        world.draw(rows, generator),
        world.draw(rows, generator),
        class_count=world.class_count,
        target=target,
        delta=delta,
        below=below,
    )


@pytest.mark.parametrize("below", Below)
@pytest.mark.parametrize("name", WORLDS)
class TestThePromise:
    def test_it_holds_as_often_as_it_says(self, name, below):
        assert misses(WORLDS[name], below=below) <= MOST_MISSES

    def test_without_the_bound_it_would_not(self, name, below, monkeypatch):
        def observed_alone(counted, *, target, below):
            right, given = cascade._answers(counted, below)
            return 0.0 if given and right / given >= target else 1.0

        monkeypatch.setattr(cascade, "_risk_of", observed_alone)
        assert misses(WORLDS[name], below=below) > MOST_MISSES


@pytest.mark.parametrize("below", Below)
class TestCertify:
    def test_the_bound_is_the_exact_one_and_not_below_the_target(self, below):
        found = both(WORLDS["smooth"], 2000, target=0.9, delta=0.05, below=below)
        answered = round(found.coverage * found.certifying)
        given = found.certifying if below is Below.TEACHER else answered
        assert found.agreement is not None
        right = round(found.agreement * given)
        assert found.bound == exact_lower(right, trials=given, risk=0.05)
        assert 0.9 <= found.bound < found.agreement

    def test_a_higher_target_answers_less(self, below):
        shares = [
            both(WORLDS["smooth"], 2000, target=target, delta=0.05, below=below).coverage
            for target in (0.8, 0.9, 0.95)
        ]
        assert shares == sorted(shares, reverse=True)
        assert shares[0] > shares[-1] > 0

    def test_less_risk_answers_less(self, below):
        shares = [
            both(WORLDS["smooth"], 2000, target=0.9, delta=delta, below=below).coverage
            for delta in (0.3, 0.05, 0.001)
        ]
        assert shares == sorted(shares, reverse=True)

    def test_too_few_texts_certify_nothing(self, below):
        found = both(WORLDS["smooth"], 25, target=0.99, delta=0.05, below=below)
        assert not found.is_certified
        assert np.isinf(found.thresholds).all()
        assert found.coverage == 0.0
        assert found.agreement == (1.0 if below is Below.TEACHER else None)

    def test_a_student_that_always_agrees_answers_everything(self, below):
        always = Observed(np.zeros(400, np.int64), np.full(400, 0.7), np.ones(400, np.bool_))
        found = certify(always, always, class_count=2, target=0.95, delta=0.05, below=below)
        assert found.coverage == 1.0
        assert found.thresholds.tolist() == [0.0, 0.0]

    def test_a_student_that_never_agrees_answers_nothing(self, below):
        never = Observed(np.zeros(400, np.int64), np.full(400, 0.7), np.zeros(400, np.bool_))
        found = certify(never, never, class_count=2, target=0.95, delta=0.05, below=below)
        assert found.coverage == 0.0

    def test_without_any_text_nothing_is_certified(self, below):
        nothing = Observed(np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_))
        found = certify(nothing, nothing, class_count=2, target=0.9, delta=0.05, below=below)
        assert (found.is_certified, found.coverage, found.agreement) == (False, 0.0, None)

    @pytest.mark.parametrize(("target", "delta"), [(1.0, 0.05), (0.0, 0.05), (0.9, 0.0), (0.9, 1)])
    def test_certainty_cannot_be_asked_for(self, below, target, delta):
        with pytest.raises(ValueError, match="between 0 and 1"):
            both(WORLDS["smooth"], 100, target=target, delta=delta, below=below)


def test_the_two_meanings_differ():
    """What the teacher answers counts as agreement, so the student may answer more."""
    found = {
        below: both(WORLDS["smooth"], 2000, target=0.95, delta=0.05, below=below).coverage
        for below in Below
    }
    assert found[Below.TEACHER] > found[Below.NOBODY] > 0


def test_halves_are_all_texts_once_and_always_the_same():
    shaping, certifying = halve(101)
    assert sorted([*shaping, *certifying]) == list(range(101))
    assert (len(shaping), len(certifying)) == (50, 51)
    assert halve(101)[0].tolist() == shaping.tolist()
    assert shaping.tolist() != sorted(shaping)


def test_a_curve_tells_both_meanings_at_each_target():
    generator = np.random.default_rng(0)
    halves = Halves(*(WORLDS["smooth"].draw(400, generator) for _ in range(2)))
    curve = cascade_curve(halves, ("a", "b", "c"))
    assert [(point["below"], point["target"]) for point in curve] == [
        (below, target) for below in ("teacher", "nobody") for target in CURVE_TARGETS
    ]
    hopeless = [point for point in curve if not point["certified"]]
    assert hopeless
    assert all(set(point["thresholds"].values()) == {None} for point in hopeless)
