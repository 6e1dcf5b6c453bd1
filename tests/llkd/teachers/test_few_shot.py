"""The few-shot teacher answers in order, from all that the labels say."""

import pytest

from llkd.specs import Label
from llkd.teachers.few_shot import FewShotClassifier, describe
from llkd.types import AnswerStatus, ConfidenceSource, Question
from tests.llkd.teachers.vectors import WordEmbedder

LABELS = (
    Label(name="billing", examples=tuple(f"invoice number {i}" for i in range(6))),
    Label(name="tech", examples=tuple(f"crash number {i}" for i in range(6))),
)


def make_teacher(
    labels: tuple[Label, ...] = LABELS,
    *,
    embedder: WordEmbedder | None = None,
    weights_sha256: str = "0" * 64,
) -> FewShotClassifier:
    return FewShotClassifier(
        labels,
        model="minilm",
        weights_sha256=weights_sha256,
        load_embedder=lambda: embedder or WordEmbedder(),
    )


def ask(teacher: FewShotClassifier, *texts: str) -> list[int | None]:
    return [answer.label for answer in teacher.answer([Question(text) for text in texts])]


class TestAnswer:
    def test_examples_teach(self):
        assert ask(make_teacher(), "crash now", "invoice now", "crash again") == [1, 0, 1]

    def test_names_alone_teach(self):
        names = (Label(name="billing"), Label(name="tech_support"))
        assert ask(make_teacher(names), "tech issue", "billing issue") == [1, 0]

    def test_descriptions_teach(self):
        with_words = (Label(name="a", description="x"), Label(name="b", description="y"))
        embedder = WordEmbedder()
        ask(make_teacher(with_words, embedder=embedder), "z")
        assert embedder.asked == ["z", "a: x", "b: y"]

    def test_an_answer_carries_calibrated_unrounded_probabilities(self):
        (answer,) = make_teacher().answer([Question("crash now")])
        assert answer.status is AnswerStatus.ANSWERED
        assert answer.confidence_source is ConfidenceSource.CALIBRATED
        assert answer.probabilities is not None
        assert sum(answer.probabilities) == pytest.approx(1, abs=1e-12)
        assert answer.confidence == max(answer.probabilities)
        assert answer.confidence != round(answer.confidence, 6)

    def test_a_text_that_cannot_be_encoded_is_malformed_and_harms_no_other(self):
        questions = [Question("crash \ud83d"), Question("crash now"), Question("")]
        statuses = [answer.status for answer in make_teacher().answer(questions)]
        assert statuses == [
            AnswerStatus.MALFORMED,
            AnswerStatus.ANSWERED,
            AnswerStatus.ANSWERED,
        ]

    def test_no_question_gives_no_answer_and_loads_nothing(self):
        embedder = WordEmbedder()
        assert make_teacher(embedder=embedder).answer([]) == []
        assert embedder.asked == []

    def test_a_repeated_example_counts_once(self):
        embedder = WordEmbedder()
        repeated = (Label(name="a", examples=("x", "x", "y")), Label(name="b"))
        assert make_teacher(repeated, embedder=embedder).head.held_out == 0
        assert embedder.asked == ["a", "x", "y", "b"]

    def test_it_is_fitted_once(self):
        embedder = WordEmbedder()
        teacher = make_teacher(embedder=embedder)
        ask(teacher, "one")
        ask(teacher, "two")
        assert embedder.asked.count("billing") == 1


class TestFingerprint:
    def test_it_is_known_before_anything_is_loaded(self):
        embedder = WordEmbedder()
        assert len(make_teacher(embedder=embedder).fingerprint) == 64
        assert embedder.asked == []

    def test_equal_teachers_have_equal_ones(self):
        assert make_teacher().fingerprint == make_teacher().fingerprint

    def test_it_changes_with_all_that_changes_an_answer(self):
        first, second = LABELS
        others = [
            make_teacher(weights_sha256="1" * 64),
            make_teacher((second, first)),
            make_teacher((first, Label(name="tech"))),
            make_teacher((first, second.model_copy(update={"name": "technical"}))),
            make_teacher((first, second.model_copy(update={"description": "errors"}))),
            make_teacher((first, second, Label(name="other"))),
        ]
        prints = {make_teacher().fingerprint, *(other.fingerprint for other in others)}
        assert len(prints) == 7

    def test_a_description_is_not_taken_for_an_example(self):
        described = (Label(name="a", description="x"), Label(name="b"))
        shown = (Label(name="a", examples=("x",)), Label(name="b"))
        assert make_teacher(described).fingerprint != make_teacher(shown).fingerprint


class TestDescribe:
    def test_a_name_becomes_words(self):
        assert describe(Label(name="card_not__working")) == "card not working"
        assert describe(Label(name="billing", description=" Invoices ")) == "billing: Invoices"
