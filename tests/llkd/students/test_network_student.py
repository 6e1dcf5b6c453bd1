"""A student predicts, learns, and can be put down and taken up."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from llkd.errors import CheckpointDamaged, TrainingDiverged
from llkd.specs import EncoderSpec, StaticSpec
from llkd.students import network_student
from llkd.students.saved import Saved
from llkd.students.training_files import TRAINING
from tests.llkd.conftest import MakeStudent, learn
from tests.llkd.tiny_bert import make_pool

# What is promised of a student is promised of every kind.
OF_EVERY_KIND = pytest.mark.parametrize(
    "make_student", [EncoderSpec, StaticSpec], indirect=True, ids=["encoder", "static"]
)


def weights(student: network_student.NetworkStudent) -> dict[str, torch.Tensor]:
    return {name: each for name, each in student._model.named_parameters() if each.requires_grad}


@OF_EVERY_KIND
class TestPredict:
    def test_one_distribution_a_text(self, make_student: MakeStudent) -> None:
        answers = make_student().predict(["invoice", "crash word1", "login"])
        assert answers.probabilities.shape == (3, 3)
        assert answers.probabilities.dtype == np.float64
        assert answers.probabilities.sum(axis=1) == pytest.approx([1, 1, 1])

    def test_answers_come_in_the_order_of_the_texts(self, make_student: MakeStudent) -> None:
        student = make_student()
        texts = make_pool(40).texts
        together = student.predict(texts).probabilities
        alone = np.concatenate([student.predict([text]).probabilities for text in texts])
        assert together == pytest.approx(alone, abs=1e-6)

    def test_no_texts_give_no_answers(self, make_student: MakeStudent) -> None:
        answers = make_student().predict([])
        assert answers.probabilities.shape == (0, 3)
        assert answers.tokens == 0

    def test_an_empty_text_has_an_answer(self, make_student: MakeStudent) -> None:
        assert np.isfinite(make_student().predict([""]).probabilities).all()

    def test_longer_texts_than_are_read_are_flagged(self, make_student: MakeStudent) -> None:
        student = make_student(max_length=8)
        fits, cut = " ".join(["word1"] * 6), " ".join(["word1"] * 7)
        answers = student.predict([fits, cut])
        assert answers.truncated.tolist() == [False, True]
        assert answers.tokens == 16

    def test_a_text_of_a_megabyte_is_cut_before_it_is_tokenised(
        self, make_student: MakeStudent
    ) -> None:
        answers = make_student(max_length=8).predict([" " * 1_000_000 + "invoice"])
        assert answers.truncated.tolist() == [True]

    def test_dropout_is_off(self, make_student: MakeStudent) -> None:
        student = make_student()
        learn(student, steps=1)
        first = student.predict(["invoice"]).probabilities
        assert first.tolist() == student.predict(["invoice"]).probabilities.tolist()


@OF_EVERY_KIND
class TestUpdate:
    def test_the_loss_falls(self, make_student: MakeStudent) -> None:
        losses = learn(make_student(), steps=60)
        assert np.mean(losses[-5:]) < 0.5 * losses[0]

    def test_the_scale_of_the_weights_does_not_matter(self, make_student: MakeStudent) -> None:
        pool = make_pool(8)
        one, other = make_student(), make_student()
        first = one.update(pool.texts, pool.labels, np.full(8, 0.01), learning_rate=1e-3)
        second = other.update(pool.texts, pool.labels, np.full(8, 1.0), learning_rate=1e-3)
        assert first.loss == pytest.approx(second.loss, rel=1e-5)

    def test_batches_too_large_for_the_device_give_the_loss_of_the_whole(
        self, make_student: MakeStudent, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool = make_pool(32)
        weights = np.linspace(0.1, 1.0, 32)
        whole, parts = make_student(), make_student()
        for student in (whole, parts):
            for module in student._model.modules():
                if isinstance(module, torch.nn.Dropout):
                    module.p = 0.0
        expected = whole.update(pool.texts, pool.labels, weights, learning_rate=0.0)
        monkeypatch.setitem(network_student._UPDATE, "cpu", 40)
        learned = parts.update(pool.texts, pool.labels, weights, learning_rate=0.0)
        assert learned.loss == pytest.approx(expected.loss, rel=1e-5)
        assert learned.probabilities == pytest.approx(expected.probabilities, rel=1e-4)

    def test_equal_seeds_give_equal_students(self, make_student: MakeStudent) -> None:
        one, other = make_student(seed=3), make_student(seed=3)
        learn(one)
        # Numbers drawn elsewhere in the process must not matter.
        torch.rand(7)
        learn(other)
        assert one.weights_sha256() == other.weights_sha256()

    def test_other_seeds_give_other_students(self, make_student: MakeStudent) -> None:
        assert make_student(seed=3).weights_sha256() != make_student(seed=4).weights_sha256()

    def test_a_loss_that_is_not_finite_stops_before_any_weight_changes(
        self, make_student: MakeStudent
    ) -> None:
        student = make_student()
        before = student.weights_sha256()
        with pytest.raises(TrainingDiverged):
            student.update(["invoice"], np.array([0]), np.array([np.nan]), learning_rate=1e-3)
        assert student.weights_sha256() == before

    def test_biases_and_normalisations_do_not_decay(self, make_student: MakeStudent) -> None:
        student = make_student()
        groups = student._optimizer.param_groups
        for group in groups:
            assert all((each.ndim >= 2) == (group["weight_decay"] > 0) for each in group["params"])
        moved = [each for group in groups for each in group["params"]]
        assert len(moved) == len(weights(student))

    def test_the_head_learns_at_its_own_pace(self, make_student: MakeStudent) -> None:
        """The first step of Adam moves each weight by the rate, whatever its gradient."""
        student = make_student()
        before = {name: each.detach().clone() for name, each in weights(student).items()}
        learn(student, steps=1)
        moved = {
            name: float((each.detach() - before[name]).abs().max())
            for name, each in weights(student).items()
        }
        pace = student._model.head_pace
        assert moved.pop("head.weight") == pytest.approx(pace * 1e-3, rel=0.02)
        assert moved.pop("head.bias") == pytest.approx(pace * 1e-3, rel=0.02)
        assert max(moved.values()) == pytest.approx(1e-3, rel=0.02)


@OF_EVERY_KIND
class TestRecall:
    def test_the_weights_kept_come_back(self, make_student: MakeStudent) -> None:
        student = make_student()
        student.remember()
        before = student.weights_sha256()
        learn(student)
        assert student.weights_sha256() != before
        student.recall()
        assert student.weights_sha256() == before

    def test_without_any_kept_the_newest_stay(self, make_student: MakeStudent) -> None:
        student = make_student()
        learn(student)
        before = student.weights_sha256()
        student.recall()
        assert student.weights_sha256() == before


@OF_EVERY_KIND
class TestRestoreTraining:
    def test_training_goes_on_bit_for_bit(self, make_student: MakeStudent, tmp_path: Path) -> None:
        undisturbed, first = make_student(), make_student()
        learn(undisturbed, steps=5)
        learn(first, steps=2)
        first.save_training(tmp_path)
        second = make_student()
        second.restore_training(tmp_path)
        learn(second, steps=3)
        assert second.weights_sha256() == undisturbed.weights_sha256()

    def test_weights_kept_as_best_survive(self, make_student: MakeStudent, tmp_path: Path) -> None:
        student = make_student()
        learn(student, steps=1)
        student.remember()
        best = student.weights_sha256()
        learn(student, steps=1)
        student.save_training(tmp_path)
        other = make_student()
        other.restore_training(tmp_path)
        assert other.weights_sha256() == student.weights_sha256()
        other.recall()
        assert other.weights_sha256() == best

    def test_nothing_that_could_run_is_written(
        self, make_student: MakeStudent, tmp_path: Path
    ) -> None:
        make_student().save_training(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["training.safetensors"]


@OF_EVERY_KIND
class TestSaveModel:
    def test_exactly_these_files_are_written(
        self, make_student: MakeStudent, tmp_path: Path
    ) -> None:
        make_student().save_model(tmp_path)
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            "config.json",
            "llkd.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        ]

    def test_the_loaded_network_answers_alike(
        self, make_student: MakeStudent, tmp_path: Path
    ) -> None:
        student = make_student()
        learn(student)
        student.save_model(tmp_path)
        ids = torch.tensor([[2, 5, 34, 3], [2, 36, 3, 0]])
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
        with torch.inference_mode():
            expected = student._model.eval()(ids, mask)
            actual = Saved.load(tmp_path).network(ids, mask)
        assert actual.shape == (2, 3)
        assert torch.equal(actual, expected)

    def test_weights_that_are_not_finite_are_never_written(
        self, make_student: MakeStudent, tmp_path: Path
    ) -> None:
        student = make_student()
        with torch.no_grad():
            student._model.head.weight[0, 0] = float("nan")
        with pytest.raises(TrainingDiverged, match=r"head\.weight"):
            student.save_model(tmp_path)
        assert list(tmp_path.iterdir()) == []


@OF_EVERY_KIND
class TestAveraged:
    def test_the_average_follows_the_weights_by_the_formula(
        self, make_student: MakeStudent
    ) -> None:
        student = make_student()
        expected = student._model.head.weight.detach().clone()
        pool = make_pool(32)
        for step in range(1, 4):
            student.update(pool.texts, pool.labels, np.ones(32), learning_rate=1e-2)
            memory = (1 + step) / (5 + step)
            expected = memory * expected + (1 - memory) * student._model.head.weight.detach()
        student.remember(averaged=True)
        student.recall()
        assert torch.allclose(student._model.head.weight, expected, atol=1e-6)

    def test_answers_by_the_average_leave_the_weights_alone(
        self, make_student: MakeStudent
    ) -> None:
        student, texts = make_student(), make_pool(20).texts
        learn(student)
        before, newest = student.weights_sha256(), student.predict(texts).probabilities
        averaged = student.predict(texts, averaged=True).probabilities
        assert np.abs(averaged - newest).max() > 1e-4
        assert student.weights_sha256() == before
        assert np.array_equal(student.predict(texts).probabilities, newest)

    def test_a_training_without_an_average_is_refused_and_changes_nothing(
        self, make_student: MakeStudent, tmp_path: Path
    ) -> None:
        learned, other = make_student(), make_student(seed=2)
        learn(learned)
        learned.save_training(tmp_path)
        tensors = load_file(tmp_path / TRAINING)
        kept = {name: w for name, w in tensors.items() if not name.startswith("average.")}
        save_file(kept, tmp_path / TRAINING)
        before = other.weights_sha256()
        with pytest.raises(CheckpointDamaged, match="average"):
            other.restore_training(tmp_path)
        assert other.weights_sha256() == before

    def test_learning_goes_on_from_the_weights_and_not_from_the_average(
        self, make_student: MakeStudent
    ) -> None:
        looked_at, left_alone = make_student(), make_student()
        for student in (looked_at, left_alone):
            learn(student)
            if student is looked_at:
                student.predict(make_pool(8).texts, averaged=True)
                student.remember(averaged=True)
            learn(student)
        assert looked_at.weights_sha256() == left_alone.weights_sha256()
