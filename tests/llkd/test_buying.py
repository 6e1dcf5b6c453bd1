"""What is asked next: by lot first, then of all classes, and no more than it is worth."""

import numpy as np
import pytest

from llkd.buying import AUDIT_SHARE, FIRST_LEAST, GROWTH, Buyer, Round
from llkd.types import FloatArray, IntArray

CLASSES = 3


def make_world(size: int = 3000, *, noise: float = 0.4) -> tuple[FloatArray, IntArray]:
    """Unit vectors around one direction a class, rare classes included, and their labels."""
    generator = np.random.default_rng(0)
    labels = generator.choice(CLASSES, size, p=[0.8, 0.17, 0.03])
    centres = np.eye(CLASSES, 16)
    vectors = centres[labels] + noise * generator.normal(size=(size, 16))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), labels


def shop(
    buyer: Buyer, labels: IntArray, confidence: FloatArray | None = None, *, rounds: int
) -> list[IntArray]:
    """Let it choose and answer everything, so many times; what it chose each time."""
    known = np.full(len(labels), np.nan) if confidence is None else confidence
    chosen = []
    for _ in range(rounds):
        places = buyer.choose(most=len(labels))
        if not len(places):
            break
        buyer.note(places, labels[places], known[places])
        chosen.append(places)
    return chosen


class TestRounds:
    def test_the_first_is_by_lot_and_the_next_ones_grow(self) -> None:
        vectors, labels = make_world()
        buyer = Buyer(vectors, class_count=CLASSES, seed=1)
        first, second, third = shop(buyer, labels, rounds=3)
        assert len(first) == FIRST_LEAST
        assert len(second) == GROWTH * 100
        assert len(third) == np.ceil(GROWTH * 125)
        assert len(np.unique(np.concatenate([first, second, third]))) == 157
        assert set(first) <= set(buyer.audit)

    def test_a_part_of_every_round_is_by_lot(self) -> None:
        vectors, labels = make_world()
        buyer = Buyer(vectors, class_count=CLASSES, seed=1)
        shop(buyer, labels, rounds=2)
        assert len(buyer.audit) == FIRST_LEAST + np.ceil(AUDIT_SHARE * GROWTH * FIRST_LEAST)

    def test_no_more_are_chosen_than_may_be(self) -> None:
        vectors, labels = make_world()
        buyer = Buyer(vectors, class_count=CLASSES, seed=1)
        places = buyer.choose(most=40)
        assert len(places) == 40
        buyer.note(places, labels[places], np.full(40, np.nan))
        assert len(buyer.choose(most=7)) == 7

    def test_a_small_pool_is_asked_about_as_a_whole_and_then_no_more(self) -> None:
        vectors, labels = make_world(60)
        buyer = Buyer(vectors, class_count=CLASSES, seed=1)
        assert [len(places) for places in shop(buyer, labels, rounds=9)] == [60]

    def test_equal_answers_lead_to_equal_choices(self) -> None:
        vectors, labels = make_world()
        one, other = (
            shop(Buyer(vectors, class_count=CLASSES, seed=4), labels, rounds=6) for _ in range(2)
        )
        assert [places.tolist() for places in one] == [places.tolist() for places in other]


class TestChoice:
    def test_rare_classes_are_asked_about_more_often_than_they_occur(self) -> None:
        vectors, labels = make_world()
        chosen = np.concatenate(shop(Buyer(vectors, class_count=CLASSES, seed=1), labels, rounds=8))
        assert (labels[chosen] == 2).mean() > 2 * (labels == 2).mean()
        assert (labels[chosen] == 0).mean() < (labels == 0).mean()

    def test_what_is_uncertain_and_likely_right_is_asked_more_often(self) -> None:
        generator = np.random.default_rng(0)
        labels = generator.integers(0, CLASSES, 3000)
        hard, reliable = generator.random((2, 3000)) < [[0.4], [0.5]]
        centres = np.eye(CLASSES, 16)
        vectors = centres[labels] + 0.1 * generator.normal(size=(3000, 16))
        # Hard texts stand between two classes, and the teacher is good on one side of dimension 5.
        vectors[hard] += 0.8 * centres[(labels[hard] + 1) % CLASSES]
        vectors[:, 5] += np.where(reliable, 1.0, -1.0)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        said = np.where(reliable, labels, generator.integers(0, CLASSES, 3000))
        confidence = np.where(reliable, 0.9, 0.4) + generator.uniform(0, 0.05, 3000)
        buyer = Buyer(vectors, class_count=CLASSES, seed=1)
        chosen = np.concatenate(shop(buyer, said, confidence, rounds=14)[-4:])
        assert reliable[chosen].mean() > 0.7
        assert hard[chosen][reliable[chosen]].mean() > 0.45

    @pytest.mark.parametrize("label", [0, -1])
    def test_one_label_or_none_still_buys(self, label: int) -> None:
        vectors, _ = make_world(400)
        buyer = Buyer(vectors, class_count=CLASSES, seed=1)
        chosen = shop(buyer, np.full(400, label), rounds=3)
        assert [len(places) for places in chosen] == [100, 25, 32]
        assert buyer.rounds[-1].agreement is None
        assert buyer.rounds[-1].answered == (157 if label == 0 else 0)


class TestWorth:
    def rounds(self, *agreements: float) -> Buyer:
        vectors, _ = make_world(50)
        buyer = Buyer(vectors, class_count=CLASSES, seed=1)
        buyer.rounds = [
            Round(asked=100 * 2**i, answered=100 * 2**i, audited=50, agreement=agreement)
            for i, agreement in enumerate(agreements)
        ]
        return buyer

    def test_a_rising_curve_is_worth_more_answers(self) -> None:
        assert self.rounds(0.5, 0.55, 0.6, 0.65, 0.69, 0.72, 0.75, 0.78).is_worth_it

    def test_a_curve_that_jumps_is_not_given_up(self) -> None:
        assert self.rounds(0.7, 0.6, 0.75, 0.65, 0.7, 0.6, 0.75, 0.68).is_worth_it

    def test_a_flat_curve_is_not(self) -> None:
        buyer = self.rounds(0.7, 0.71, 0.705, 0.71, 0.71, 0.7, 0.705, 0.71)
        assert not buyer.is_worth_it
        assert buyer.choose(most=50).tolist() == []

    def test_some_rounds_are_bought_in_any_case(self) -> None:
        assert self.rounds(*[0.7] * 7).is_worth_it
