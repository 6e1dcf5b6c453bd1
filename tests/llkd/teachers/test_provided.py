"""An answer made elsewhere is taken as it stands, or not at all."""

import pytest

from llkd.specs import Label
from llkd.teachers.provided import ProvidedAnswers
from llkd.types import AnswerStatus, ConfidenceSource, ProvidedAnswer, Question, TeacherAnswer

LABELS = [Label(name="Billing"), Label(name="tech"), Label(name="Straße")]


def ask(
    provided: ProvidedAnswer | None, *, source: ConfidenceSource = ConfidenceSource.PROVIDED
) -> TeacherAnswer:
    teacher = ProvidedAnswers(LABELS, source=source)
    (answer,) = teacher.answer([Question("a text", provided)])
    return answer


def count(*, label: str | None = None, **votes: int) -> TeacherAnswer:
    return ask(ProvidedAnswer(label, votes=votes))


class TestAnswer:
    def test_answers_come_in_the_order_of_the_questions(self):
        questions = [
            Question("a", ProvidedAnswer("tech")),
            Question("b"),
            Question("c", ProvidedAnswer("?")),
            Question("d", ProvidedAnswer("Billing")),
        ]
        answers = ProvidedAnswers(LABELS).answer(questions)
        assert [answer.label for answer in answers] == [1, None, None, 0]
        assert [answer.status for answer in answers] == [
            AnswerStatus.ANSWERED,
            AnswerStatus.MISSING,
            AnswerStatus.MALFORMED,
            AnswerStatus.ANSWERED,
        ]

    def test_nothing_given_is_missing(self):
        for provided in (None, ProvidedAnswer(None), ProvidedAnswer("  ")):
            assert ask(provided) == TeacherAnswer(AnswerStatus.MISSING)


class TestLabels:
    @pytest.mark.parametrize("name", ["billing", " BILLING ", "Ｂｉｌｌｉｎｇ"])  # noqa: RUF001
    def test_case_width_and_edges_do_not_matter(self, name):
        assert ask(ProvidedAnswer(name)).label == 0

    def test_sharp_s_is_folded(self):
        assert ask(ProvidedAnswer("STRASSE")).label == 2

    @pytest.mark.parametrize("name", ["bill", "Billing.", "billing and tech", "0", "Bil ling"])
    def test_what_is_only_similar_is_malformed(self, name):
        assert ask(ProvidedAnswer(name)) == TeacherAnswer(AnswerStatus.MALFORMED)

    def test_without_a_confidence_it_is_unknown(self):
        answer = ask(ProvidedAnswer("tech"))
        assert answer.confidence is None
        assert answer.probabilities is None
        assert answer.confidence_source is ConfidenceSource.NONE

    @pytest.mark.parametrize("confidence", [0.0, 0.7, 1.0])
    def test_a_confidence_is_passed_on(self, confidence):
        answer = ask(ProvidedAnswer("tech", confidence=confidence))
        assert answer.confidence == confidence
        assert answer.confidence_source is ConfidenceSource.PROVIDED

    @pytest.mark.parametrize("confidence", [-0.1, 1.1, 87.0, float("nan"), float("inf")])
    def test_a_confidence_outside_zero_to_one_is_malformed(self, confidence):
        assert ask(ProvidedAnswer("tech", confidence=confidence)).status is AnswerStatus.MALFORMED


class TestProbabilities:
    def test_the_largest_is_the_answer(self):
        answer = ask(ProvidedAnswer(None, probabilities={"TECH": 0.7, "billing": 0.3}))
        assert answer.status is AnswerStatus.ANSWERED
        assert answer.label == 1
        assert answer.probabilities == pytest.approx((0.3, 0.7, 0.0))
        assert answer.confidence == pytest.approx(0.7)
        assert answer.confidence_source is ConfidenceSource.PROVIDED

    def test_rounding_is_evened_out(self):
        answer = ask(ProvidedAnswer(None, probabilities={"tech": 0.33, "billing": 0.66}))
        assert answer.probabilities is not None
        assert sum(answer.probabilities) == pytest.approx(1, abs=1e-12)
        assert answer.confidence == pytest.approx(2 / 3)

    def test_of_equals_the_label_beside_them_answers_else_the_first(self):
        tie = {"tech": 0.5, "Billing": 0.5}
        for beside, answered in ((None, 0), ("tech", 1), ("Straße", 0), ("sales", 0)):
            assert ask(ProvidedAnswer(beside, probabilities=tie)).label == answered

    def test_they_outrank_a_label(self):
        assert ask(ProvidedAnswer("Billing", probabilities={"tech": 1.0})).label == 1

    @pytest.mark.parametrize(
        "probabilities",
        [
            {},
            {"tech": 0.5},
            {"tech": 1.0, "billing": 1.0},
            {"tech": 1.5, "billing": -0.5},
            {"tech": float("nan"), "billing": 1.0},
            {"tech": float("inf")},
            {"tech": 0.5, "sales": 0.5},
            {"tech": 1.0, "sales": 0.0},
            {"tech": 0.5, "TECH": 0.5},
            {"tech": 70.0, "billing": 30.0},
        ],
    )
    def test_what_is_no_distribution_over_the_labels_is_malformed(self, probabilities):
        answer = ask(ProvidedAnswer("tech", probabilities=probabilities))
        assert answer == TeacherAnswer(AnswerStatus.MALFORMED)


class TestVotes:
    def test_shares_are_probabilities(self):
        answer = count(billing=1, TECH=3)
        assert answer.status is AnswerStatus.ANSWERED
        assert (answer.label, answer.confidence) == (1, 0.75)
        assert answer.probabilities == (0.25, 0.75, 0.0)
        assert answer.confidence_source is ConfidenceSource.VOTES
        assert answer.label_mass == 1.0

    def test_spellings_of_one_label_add_up(self):
        assert count(Billing=2, BILLING=1, tech=1).probabilities == (0.75, 0.25, 0.0)

    def test_votes_for_no_label_are_left_out_and_told(self):
        answer = count(tech=2, sales=3)
        assert answer.probabilities == (0.0, 1.0, 0.0)
        assert answer.label_mass == pytest.approx(0.4)

    def test_a_label_beside_them_breaks_a_tie_and_nothing_else(self):
        assert count(billing=1, tech=1).label == 0
        tie = count(label="tech", billing=1, tech=1)
        assert (tie.label, tie.confidence) == (1, 0.5)
        assert count(label="tech", billing=2, tech=1).label == 0
        assert count(label="Straße", billing=1, tech=1).label == 0
        assert count(label="sales", billing=1, tech=1).label == 0

    @pytest.mark.parametrize(
        "votes", [{}, {"sales": 2}, {"tech": 0}, {"tech": -1}, {"tech": 3, "billing": -1}]
    )
    def test_without_a_vote_for_a_label_they_are_malformed(self, votes):
        answer = ask(ProvidedAnswer("tech", votes=votes))
        assert answer == TeacherAnswer(AnswerStatus.MALFORMED)


class TestSource:
    @pytest.mark.parametrize(
        "source", [ConfidenceSource.PROVIDED, ConfidenceSource.VOTES, ConfidenceSource.VERBALISED]
    )
    def test_a_confidence_comes_from_where_it_is_said_to(self, source):
        for given in (ProvidedAnswer("tech", 0.5), ProvidedAnswer(None, None, {"tech": 1.0})):
            assert ask(given, source=source).confidence_source is source

    @pytest.mark.parametrize("source", [ConfidenceSource.PROVIDED, ConfidenceSource.VERBALISED])
    def test_votes_are_votes_and_a_bare_label_has_no_confidence(self, source):
        votes, bare = ProvidedAnswer(None, votes={"tech": 1}), ProvidedAnswer("tech")
        assert ask(votes, source=source).confidence_source is ConfidenceSource.VOTES
        assert ask(bare, source=source).confidence_source is ConfidenceSource.NONE


class TestFingerprint:
    def test_it_follows_where_confidences_come_from(self):
        plain = ProvidedAnswers(LABELS).fingerprint
        assert ProvidedAnswers(LABELS, source=ConfidenceSource.PROVIDED).fingerprint == plain
        assert ProvidedAnswers(LABELS, source=ConfidenceSource.VERBALISED).fingerprint != plain

    def test_it_follows_the_labels_and_their_order(self):
        def of(*names: str) -> str:
            return ProvidedAnswers([Label(name=name) for name in names]).fingerprint

        assert of("a", "b") == of("A", "b")
        assert len({of("a", "b"), of("b", "a"), of("a", "c"), of("a", "b", "c")}) == 4
