"""A zero-shot teacher answers from the labels' texts alone, in the way its model is made for."""

import numpy as np
import pytest

from llkd.base_models import ModelSource
from llkd.errors import ModelNotAllowed
from llkd.specs import Label
from llkd.specs.teachers import ZeroShotTeacher
from llkd.teachers.zero_shot import SIMILARITY_TEMPERATURE, Similarity, make_zero_shot
from llkd.types import AnswerStatus, ConfidenceSource, Question
from tests.llkd.conftest import TINY
from tests.llkd.teachers.vectors import WordEmbedder
from tests.llkd.tiny_bert import make_pool
from tests.llkd.tiny_inference import write_tiny_inference

LABELS = (
    Label(name="billing", description="Invoices and refunds"),
    Label(name="outage", description="The service is down"),
    Label(name="account_access", description="Passwords and login"),
)
TEXTS = ["Please send my money back", "The website shows error 500", "I forgot my password"]


def ask(teacher, *texts):
    return teacher.answer([Question(text) for text in texts])


@pytest.fixture(scope="module")
def judges(tmp_path_factory):
    """Two models of inference that differ in their weights, and one of sentiment."""
    folder = tmp_path_factory.mktemp("judges")
    write_tiny_inference(folder / "nli")
    write_tiny_inference(folder / "other", seed=1)
    write_tiny_inference(folder / "sentiment", outputs=("negative", "positive"))
    return ModelSource(models_dir=folder)


class TestSimilarity:
    def test_scores_are_cosines_over_the_temperature(self):
        embedder = WordEmbedder()
        scores = Similarity(["billing: x", "tech"], embedder).score(["tech now", "tech"])
        vectors, labels = (
            embedder.embed(["tech now", "tech"]),
            embedder.embed(["billing: x", "tech"]),
        )
        assert scores * SIMILARITY_TEMPERATURE == pytest.approx(vectors[:, -1] @ labels[:, -1].T)
        assert scores[1, 1] * SIMILARITY_TEMPERATURE == pytest.approx(1)

    def test_minilm_answers_from_descriptions(self, one_thread):
        teacher = make_zero_shot(ZeroShotTeacher(), LABELS, source=ModelSource())
        assert teacher.model == "zero_shot/minilm"
        answers = ask(teacher, *TEXTS)
        assert [answer.label for answer in answers] == [0, 1, 2]
        # Alone, each text is answered with the same bits.
        assert answers == [ask(teacher, text)[0] for text in TEXTS]


class TestInference:
    def test_the_hypothesis_is_read_with_each_label(self, judges):
        one, other = (
            make_zero_shot(
                ZeroShotTeacher(model="local/nli", hypothesis=written), LABELS, source=judges
            )
            for written in ("word1 {}", "word2 {} crash")
        )
        assert ask(one, "word3")[0].probabilities != ask(other, "word3")[0].probabilities

    def test_labels_decide_apart_from_their_order(self, judges, one_thread):
        spec = ZeroShotTeacher(model="local/nli", hypothesis="{}")
        names = [Label(name=name) for name in ("invoice", "crash", "login")]
        texts = make_pool(20).texts
        forward = ask(make_zero_shot(spec, names, source=judges), *texts)
        backward = ask(make_zero_shot(spec, names[::-1], source=judges), *texts)
        assert len({answer.label for answer in forward}) > 1
        assert [answer.label for answer in forward] == [2 - (a.label or 0) for a in backward]

    def test_a_model_of_something_else_is_refused_before_it_is_loaded(self, judges):
        with pytest.raises(ModelNotAllowed, match="'negative', 'positive'"):
            make_zero_shot(ZeroShotTeacher(model="local/sentiment"), LABELS, source=judges)


class TestAnswer:
    def test_an_answer_is_a_distribution_that_nothing_calibrated(self, judges):
        teacher = make_zero_shot(ZeroShotTeacher(model="local/nli"), LABELS, source=judges)
        (answer,) = ask(teacher, "refund")
        assert answer.status is AnswerStatus.ANSWERED
        assert answer.confidence_source is ConfidenceSource.CLASSIFIER
        assert answer.probabilities is not None
        assert sum(answer.probabilities) == pytest.approx(1, abs=1e-12)
        assert answer.label == np.argmax(answer.probabilities)
        assert answer.confidence == max(answer.probabilities)

    def test_half_a_character_is_malformed_and_its_neighbours_are_answered(self, judges):
        teacher = make_zero_shot(ZeroShotTeacher(model="local/nli"), LABELS, source=judges)
        statuses = [answer.status for answer in ask(teacher, "refund", "a\ud800", "crash")]
        assert statuses == [AnswerStatus.ANSWERED, AnswerStatus.MALFORMED, AnswerStatus.ANSWERED]


class TestFingerprint:
    def test_all_that_decides_an_answer_counts(self, judges):
        base = ZeroShotTeacher(model="local/nli")
        others = (Label(name="billing"), *LABELS[1:])
        made = [
            make_zero_shot(base, LABELS, source=judges),
            make_zero_shot(ZeroShotTeacher(model="local/other"), LABELS, source=judges),
            make_zero_shot(
                base.model_copy(update={"hypothesis": "It is {}."}), LABELS, source=judges
            ),
            make_zero_shot(base, others, source=judges),
            make_zero_shot(base, LABELS[::-1], source=judges),
        ]
        assert len({teacher.fingerprint for teacher in made}) == len(made)

    def test_examples_and_an_unread_hypothesis_do_not_count(self, source):
        taught = (LABELS[0].model_copy(update={"examples": ("I was charged twice",)}), *LABELS[1:])
        first = make_zero_shot(ZeroShotTeacher(model=TINY), LABELS, source=source)
        second = make_zero_shot(
            ZeroShotTeacher(model=TINY, hypothesis="It is {}."), taught, source=source
        )
        assert first.fingerprint == second.fingerprint
