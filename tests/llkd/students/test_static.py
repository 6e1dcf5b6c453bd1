"""A static student: vectors of an encoder, without order, in as few directions as are kept."""

from pathlib import Path

import pytest
import torch

from llkd.specs import StaticSpec
from llkd.students import static
from llkd.students.encoder import EncoderClassifier
from llkd.students.saved import Saved
from llkd.students.static import StaticClassifier
from tests.llkd.conftest import MakeStudent, learn
from tests.llkd.tiny_bert import make_pool

CPU = torch.device("cpu")

of_this_kind = pytest.mark.parametrize("make_student", [StaticSpec], indirect=True)


def build(models_dir: Path, *, seed: int = 0) -> StaticClassifier:
    return StaticClassifier.from_base(models_dir / "tiny", class_count=3, seed=seed, device=CPU)


class TestFromBase:
    def test_the_seed_decides_the_head_alone(self, models_dir: Path) -> None:
        one, same, other = (build(models_dir, seed=seed) for seed in (1, 1, 2))
        assert torch.equal(one.head.weight, same.head.weight)
        assert not torch.equal(one.head.weight, other.head.weight)
        assert torch.equal(one.vectors.weight, other.vectors.weight)

    def test_tokens_that_are_alike_to_the_encoder_stay_alike(self, models_dir: Path) -> None:
        """Nothing is cut while the encoder is narrower than what is kept: a rotation."""
        encoder = EncoderClassifier.from_base(models_dir / "tiny", class_count=3, seed=0).eval()
        ids = torch.arange(4, 40)
        framed = torch.stack([torch.full_like(ids, 2), ids, torch.full_like(ids, 3)], dim=1)
        with torch.inference_mode():
            read = encoder.backbone(input_ids=framed).last_hidden_state.mean(dim=1)
        vectors = build(models_dir).vectors.weight.detach()[4:40]
        apart, apart_then = (torch.pdist(each.double()) for each in (vectors, read))
        assert torch.allclose(apart, apart_then * (apart[0] / apart_then[0]), rtol=1e-4)

    def test_the_directions_of_least_variance_are_left_out(
        self, models_dir: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        whole = build(models_dir).vectors.weight.detach()
        monkeypatch.setattr(static, "DIMENSIONS", 5)
        kept = build(models_dir).vectors.weight.detach()
        assert kept.shape[1] == 5
        variances = whole.var(dim=0)
        assert torch.allclose(
            kept.var(dim=0) / kept.var(dim=0).sum(),
            variances[-5:] / variances[-5:].sum(),
            atol=1e-4,
        )


@of_this_kind
class TestForward:
    def test_the_order_of_the_words_does_not_matter(self, make_student: MakeStudent) -> None:
        student = make_student()
        learn(student, steps=20)
        there, back = student.predict(["invoice word1 crash", "crash word1 invoice"]).probabilities
        assert there == pytest.approx(back, abs=1e-6)

    def test_a_word_said_twice_counts_twice(self, make_student: MakeStudent) -> None:
        student = make_student()
        learn(student, steps=20)
        once, twice = student.predict(["invoice crash", "invoice crash crash"]).probabilities
        assert twice[1] > once[1]

    def test_words_that_tell_nothing_lose_weight(self, make_student: MakeStudent) -> None:
        student = make_student()
        learn(student, steps=200)
        weights = student._model.get_submodule("log_weights").weight
        assert isinstance(weights, torch.Tensor)
        noise, telling = weights[4:34].mean(), weights[34:40].mean()
        assert noise < telling

    def test_it_learns(self, make_student: MakeStudent) -> None:
        student = make_student()
        learn(student, steps=200)
        pool = make_pool(100, seed=9)
        right = student.predict(pool.texts).probabilities.argmax(axis=1) == pool.labels
        assert right.mean() > 0.8


@of_this_kind
def test_what_is_saved_is_of_its_kind(make_student: MakeStudent, tmp_path: Path) -> None:
    make_student(max_length=9).save_model(tmp_path)
    saved = Saved.load(tmp_path)
    assert isinstance(saved.network, StaticClassifier)
    assert saved.max_length == 9
    assert not saved.network.training
