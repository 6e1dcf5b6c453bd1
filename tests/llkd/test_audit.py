"""Planted mistakes are found, and nothing is made up where nothing is known."""

import numpy as np
import pytest

from llkd import near_duplicates
from llkd.audit import judge, overlapping_labels
from llkd.dynamics import Dynamics
from llkd.estimated_confidence import ConfidenceEstimate
from llkd.near_duplicates import contradictions
from llkd.types import FloatArray, IntArray, Pool


def make_pool(labels: list[int], *, confidence: list[float] | None = None) -> Pool:
    known = [float("nan")] * len(labels) if confidence is None else confidence
    texts = [f"text {place}" for place in range(len(labels))]
    return Pool(texts, np.array(labels), np.array(known), 3)


def read(pool: Pool, *readings: list[list[float]]) -> Dynamics:
    """Each reading has a row of probabilities for every text."""
    dynamics = Dynamics(len(pool))
    for probabilities in readings:
        dynamics.observe(np.arange(len(pool)), pool.labels, np.array(probabilities))
    return dynamics


def estimated(values: list[float], predicted: list[int], top: list[float]) -> ConfidenceEstimate:
    arrays: tuple[FloatArray, IntArray, FloatArray] = (
        np.array(values),
        np.array(predicted),
        np.array(top),
    )
    return ConfidenceEstimate(arrays[0], arrays[1], arrays[2], skill=0.9, agreement=None)


class TestDoubts:
    def test_what_the_student_goes_on_doubting_comes_first(self) -> None:
        pool = make_pool([0, 0, 0, 1], confidence=[0.9, 0.9, 0.9, 0.9])
        sure, unsure, other = [0.9, 0.1, 0.0], [0.45, 0.55, 0.0], [0.1, 0.9, 0.0]
        dynamics = read(pool, [sure, unsure, other, other], [sure, unsure, other, other])
        judgement = judge(pool, dynamics, None)
        assert judgement.doubted.tolist() == [2, 1]
        assert judgement.suggested.tolist() == [-1, 1, 1, -1]

    def test_a_low_confidence_adds_to_the_doubt(self) -> None:
        pool = make_pool([0, 0, 0], confidence=[0.9, 0.5, 0.7])
        same = [[0.4, 0.6, 0.0]] * 3
        assert judge(pool, read(pool, same), None).doubted.tolist() == [1, 2, 0]

    def test_a_class_that_is_hard_for_all_is_not_doubted_as_a_whole(self) -> None:
        pool = make_pool([0, 0, 1, 1], confidence=[0.9, 0.8, 0.4, 0.3])
        suspicion = judge(pool, Dynamics(4), None).suspicion
        assert suspicion[:2].tolist() == suspicion[2:].tolist()

    def test_without_the_student_the_estimate_suggests(self) -> None:
        pool = make_pool([0, 0])
        estimate = estimated([0.9, 0.1], [0, 2], [0.9, 0.8])
        judgement = judge(pool, Dynamics(2), estimate)
        assert judgement.suggested.tolist() == [-1, 2]
        assert judgement.suspicion[1] > judgement.suspicion[0]

    def test_where_nothing_is_known_nothing_is_doubted(self) -> None:
        pool = make_pool([0, 1, 2])
        judgement = judge(pool, Dynamics(3), None)
        assert judgement.doubted.tolist() == judgement.unfitting.tolist() == []
        assert judgement.suspicion.tolist() == [0.5] * 3
        assert np.isnan(judgement.certainty).all()


class TestUnfitting:
    def test_nobody_has_an_idea(self) -> None:
        pool = make_pool([0, 0, 0], confidence=[0.4, 0.4, 0.9])
        blind, sure = [0.36, 0.32, 0.32], [0.9, 0.05, 0.05]
        judgement = judge(pool, read(pool, [blind, sure, blind]), None)
        assert judgement.unfitting.tolist() == [0]
        assert judgement.certainty[0] == pytest.approx((0.4 - 1 / 3) / (2 / 3))

    def test_one_sure_voice_is_enough(self) -> None:
        pool = make_pool([0], confidence=[0.34])
        dynamics = read(pool, [[0.34, 0.33, 0.33]])
        assert judge(pool, dynamics, None).unfitting.tolist() == [0]
        sure = estimated([0.1], [1], [0.9])
        assert judge(pool, dynamics, sure).unfitting.tolist() == []


class TestOverlaps:
    def test_pairs_are_counted_both_ways(self) -> None:
        pool = make_pool([0, 0, 1, 1, 2, 2])
        one, two, three = np.eye(3).tolist()
        found = overlapping_labels(pool, read(pool, [one, two, one, two, three, one]))
        assert [(each.first, each.second, each.texts) for each in found] == [(0, 1, 2), (0, 2, 1)]
        assert [each.share for each in found] == [0.5, 0.25]

    def test_texts_that_were_never_met_count_nowhere(self) -> None:
        assert overlapping_labels(make_pool([0, 1, 2]), Dynamics(3)) == []


class TestContradictions:
    TEXTS = (
        "The parcel arrived two weeks late and the box was torn open.",
        "The parcel arrived two weeks late, and the box was torn open!",
        "I cannot log in since the update of last night.",
        "Which plan has the largest discount for schools?",
        "My card was charged twice for the same order.",
    )

    def pool(self, labels: list[int]) -> Pool:
        return Pool(self.TEXTS, np.array(labels), np.full(5, 0.5), 3)

    def test_near_duplicates_with_other_labels_are_a_pair(self) -> None:
        (found,) = contradictions(self.pool([0, 1, 2, 2, 1]), np.arange(5), seed=1)
        assert {found.first, found.second} == {0, 1}
        assert 0.8 <= found.similarity <= 1

    def test_the_more_doubtful_one_is_named_first(self) -> None:
        (found,) = contradictions(self.pool([0, 1, 2, 2, 1]), np.array([1, 0]), seed=1)
        assert (found.first, found.second) == (1, 0)

    def test_with_one_label_they_agree(self) -> None:
        assert contradictions(self.pool([0, 0, 2, 2, 1]), np.arange(5), seed=1) == []

    @pytest.mark.parametrize("doubtful", [[], [2, 3]])
    def test_only_doubtful_texts_are_looked_up(self, doubtful: list[int]) -> None:
        places = np.array(doubtful, dtype=np.int64)
        assert contradictions(self.pool([0, 1, 2, 2, 1]), places, seed=1) == []

    @pytest.mark.parametrize("limit", ["_MOST_COMPARED", "_MOST_CHARACTERS"])
    def test_beyond_what_is_compared_doubtful_texts_still_are(
        self, monkeypatch: pytest.MonkeyPatch, limit: str
    ) -> None:
        monkeypatch.setattr(near_duplicates, limit, 0)
        pool = self.pool([0, 1, 2, 2, 1])
        assert contradictions(pool, np.array([0, 3]), seed=1) == []
        (found,) = contradictions(pool, np.array([0, 1]), seed=1)
        assert {found.first, found.second} == {0, 1}

    def test_texts_of_nothing_have_no_likeness(self) -> None:
        pool = Pool(["!", "?"], np.array([0, 1]), np.full(2, 0.5), 2)
        found = contradictions(pool, np.arange(2), seed=1)
        assert all(each.similarity <= 1 for each in found)
        blank = Pool([" ", "\n"], np.array([0, 1]), np.full(2, 0.5), 2)
        assert contradictions(blank, np.arange(2), seed=1) == []
