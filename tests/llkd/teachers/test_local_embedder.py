"""A text's vectors are its own, bit for bit; MiniLM's are good for something."""

import numpy as np
import pytest

from llkd.base_models import ModelSource, locate
from llkd.specs import FewShotTeacher, Label, ProvidedTeacher
from llkd.teachers.base import Teacher
from llkd.teachers.factory import build_teacher
from llkd.teachers.few_shot import FewShotClassifier
from llkd.teachers.local_embedder import LocalEmbedder
from llkd.teachers.provided import ProvidedAnswers
from llkd.types import Question
from tests.llkd.conftest import TINY
from tests.llkd.tiny_bert import POSITIONS, make_pool

SUPPORT = (
    Label(name="billing", description="Invoices and refunds", examples=("I was charged twice",)),
    Label(name="outage", description="The service is down", examples=("Nothing loads",)),
    Label(name="account", description="Passwords and login", examples=("I cannot sign in",)),
)


@pytest.fixture(scope="module")
def embedder(source: ModelSource) -> LocalEmbedder:
    return LocalEmbedder.from_folder(locate(TINY, revision=None, source=source))


@pytest.fixture(scope="module")
def minilm() -> LocalEmbedder:
    return LocalEmbedder.from_folder(locate("minilm", revision=None, source=ModelSource()))


class TestEmbed:
    def test_vectors_have_length_one_at_each_depth(self, embedder):
        vectors = embedder.embed(make_pool(20).texts)
        assert vectors.shape == (20, 2, 32)
        assert vectors.dtype == np.float64
        assert np.linalg.norm(vectors, axis=2) == pytest.approx(1, abs=1e-6)

    def test_a_text_has_the_same_bits_in_any_company(self, embedder, one_thread):
        texts = [*make_pool(60).texts, ""]
        together = embedder.embed(texts)
        alone = np.vstack([embedder.embed([text]) for text in texts])
        backwards = embedder.embed(texts[::-1])[::-1]
        assert np.array_equal(together, alone)
        assert np.array_equal(together, backwards)

    def test_blank_rows_do_not_leak_into_a_text(self, embedder):
        first, second = embedder.embed(["refund", "crash"])
        assert np.abs(first - second).max() > 1e-3

    def test_no_text_gives_no_vector(self, embedder):
        assert embedder.embed([]).shape == (0, 2, 32)

    def test_a_text_beyond_the_encoders_positions_is_cut(self, embedder):
        long = " ".join(["word1"] * POSITIONS * 2)
        assert np.isfinite(embedder.embed([long])).all()
        assert np.array_equal(embedder.embed([long]), embedder.embed([long + " crash"]))

    def test_minilm_knows_what_is_alike(self, minilm, one_thread):
        last = minilm.embed(["A refund, please.", "I want my money back!", "It rains."])[:, -1]
        assert last[0] @ last[1] > 0.5 > 0.3 > last[0] @ last[2]

    def test_minilm_has_the_same_bits_in_any_company(self, minilm, one_thread):
        texts = ["short", "a somewhat longer text", "Where is my card?", "short too"]
        together = minilm.embed(texts)
        assert np.array_equal(together, np.vstack([minilm.embed([text]) for text in texts]))


def build(teacher: FewShotTeacher | ProvidedTeacher, source: ModelSource) -> Teacher:
    return build_teacher(teacher, labels=SUPPORT, source=source)


class TestBuildTeacher:
    def test_few_shot_on_minilm_answers_from_three_labels(self, one_thread):
        teacher = build(FewShotTeacher(), ModelSource())
        texts = ["Please send my money back", "The website shows error 500", "I forgot my password"]
        assert isinstance(teacher, FewShotClassifier)
        assert teacher.model == "few_shot/minilm"
        answers = teacher.answer([Question(text) for text in texts])
        assert [answer.label for answer in answers] == [0, 1, 2]

    def test_another_base_model_is_another_teacher(self, source):
        specs = [FewShotTeacher(model=name) for name in ("minilm", TINY)]
        first, second = (build(spec, source).fingerprint for spec in specs)
        assert first != second

    def test_provided_needs_no_model(self):
        teacher = build(ProvidedTeacher(), ModelSource(allowed=("x",)))
        assert isinstance(teacher, ProvidedAnswers)
