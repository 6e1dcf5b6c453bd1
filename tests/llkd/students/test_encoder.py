"""An encoder: what of it learns, and what it is built from."""

from pathlib import Path
from typing import Literal

import pytest
import torch
from transformers import AlbertConfig, AlbertModel

from llkd.base_models import ModelSource
from llkd.errors import CheckpointDamaged, DeviceUnavailable, ModelNotAllowed
from llkd.model_folder import check_folder
from llkd.specs import EncoderSpec, TrainingSpec
from llkd.students.encoder import EncoderClassifier
from llkd.students.factory import build_student, choose_device, choose_kernels
from llkd.students.network import (
    learned_weights_of,
    put_learned_weights,
    weights_of,
)
from llkd.students.network_student import NetworkStudent
from tests.llkd.conftest import TINY, MakeStudent, learn
from tests.llkd.tiny_bert import POSITIONS


class TestForward:
    def test_padding_changes_nothing(self, models_dir: Path) -> None:
        model = EncoderClassifier.from_base(models_dir / "tiny", class_count=4, seed=0).eval()
        ids, mask = torch.tensor([[2, 5, 34, 3]]), torch.ones(1, 4, dtype=torch.int64)
        padded = torch.nn.functional.pad(ids, (0, 5)), torch.nn.functional.pad(mask, (0, 5))
        with torch.inference_mode():
            assert torch.allclose(model(ids, mask), model(*padded), atol=1e-6)


def layers_of(network: EncoderClassifier) -> torch.nn.ModuleList:
    layers = network.backbone.get_submodule("encoder.layer")
    assert isinstance(layers, torch.nn.ModuleList)
    return layers


class TestTrainTop:
    def network(self, models_dir: Path) -> EncoderClassifier:
        return EncoderClassifier.from_base(models_dir / "tiny", class_count=3, seed=0)

    def test_only_the_top_layers_and_the_head_change(self, make_student: MakeStudent) -> None:
        student = make_student()
        before = weights_of(student._model)
        learn(student)
        after = weights_of(student._model)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed
        assert all(name.startswith(("backbone.encoder.layer.1.", "head.")) for name in changed)

    @pytest.mark.parametrize(("share", "learning"), [(1 / 3, 1), (0.5, 1), (0.6, 2), (1.0, 2)])
    def test_a_share_is_rounded_up_to_whole_layers(
        self, models_dir: Path, share: float, learning: int
    ) -> None:
        network = self.network(models_dir)
        network.train_top(share)
        layers = layers_of(network)
        learned = [any(each.requires_grad for each in layer.parameters()) for layer in layers]
        assert learned == [False] * (2 - learning) + [True] * learning

    def test_layers_that_do_not_learn_have_no_dropout(self, models_dir: Path) -> None:
        network = self.network(models_dir)
        network.train_top(0.5)
        network.train()
        layers = layers_of(network)
        assert [layer.training for layer in layers] == [False, True]
        assert not network.backbone.get_submodule("embeddings").training
        assert network.dropout.training

    def test_an_encoder_whose_layers_share_weights_learns_as_a_whole(self) -> None:
        config = AlbertConfig(
            vocab_size=20,
            embedding_size=8,
            hidden_size=16,
            num_hidden_layers=3,
            num_attention_heads=2,
            intermediate_size=16,
        )
        network = EncoderClassifier(AlbertModel(config), class_count=2)
        network.train_top(1 / 3)
        assert all(each.requires_grad for each in network.parameters())


class TestSave:
    def test_what_is_written_may_itself_be_a_base_model(
        self, make_student: MakeStudent, tmp_path: Path
    ) -> None:
        make_student().save_model(tmp_path)
        check_folder(tmp_path)


class TestPutLearnedWeights:
    def test_another_students_weights_are_refused(self, models_dir: Path) -> None:
        whole = EncoderClassifier.from_base(models_dir / "tiny", class_count=3, seed=0)
        part = EncoderClassifier.from_base(models_dir / "tiny", class_count=3, seed=0)
        part.train_top(0.5)
        with pytest.raises(CheckpointDamaged, match="another student"):
            put_learned_weights(part, learned_weights_of(whole))


class TestBuildStudent:
    def test_a_length_past_the_positions_is_refused(self, source: ModelSource) -> None:
        with pytest.raises(ModelNotAllowed, match=str(POSITIONS)):
            build_student(
                EncoderSpec(model=TINY, max_length=POSITIONS + 1),
                TrainingSpec(device="cpu"),
                class_count=3,
                source=source,
            )

    @pytest.mark.parametrize(("trainable", "changes"), [("top", False), ("all", True)])
    def test_the_lower_layers_learn_if_they_are_asked_to(
        self, source: ModelSource, trainable: Literal["top", "all"], changes: bool
    ) -> None:
        student = build_student(
            EncoderSpec(model=TINY, max_length=32, trainable=trainable),
            TrainingSpec(device="cpu"),
            class_count=3,
            source=source,
        )
        assert isinstance(student, NetworkStudent)
        before = weights_of(student._model)
        learn(student)
        after = weights_of(student._model)
        lowest = "backbone.embeddings.word_embeddings.weight"
        assert torch.equal(before[lowest], after[lowest]) is not changes

    def test_a_gpu_that_is_not_there_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        with pytest.raises(DeviceUnavailable):
            choose_device("gpu")
        assert choose_device("auto").type == "cpu"

    @pytest.mark.parametrize(
        ("device", "deterministic", "repeats"),
        [("cpu", False, True), ("cuda", False, False), ("cuda", True, True)],
    )
    def test_kernels_repeat_themselves_on_a_cpu_and_where_asked_to(
        self, device: str, deterministic: bool, repeats: bool
    ) -> None:
        choose_kernels(TrainingSpec(deterministic=deterministic), torch.device(device))
        assert torch.are_deterministic_algorithms_enabled() is repeats
        choose_kernels(TrainingSpec(), torch.device("cpu"))
