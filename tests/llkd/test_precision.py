"""In which number format a student's matrices are multiplied."""

from pathlib import Path

import numpy as np
import pytest
import torch

from llkd.precision import choose_precision
from tests.llkd.conftest import MakeStudent, learn
from tests.llkd.tiny_bert import make_pool


class TestChoosePrecision:
    def test_a_cpu_computes_in_float32(self) -> None:
        assert choose_precision("auto", torch.device("cpu")) == torch.float32

    @pytest.mark.parametrize(
        ("has_units", "chosen"), [(True, torch.bfloat16), (False, torch.float32)]
    )
    def test_a_gpu_computes_in_bfloat16_if_it_has_units_for_it(
        self, has_units: bool, chosen: torch.dtype, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_units)
        assert choose_precision("auto", torch.device("cuda")) == chosen

    def test_what_is_asked_for_is_taken(self) -> None:
        assert choose_precision("float32", torch.device("cpu")) == torch.float32
        assert choose_precision("bfloat16", torch.device("cpu")) == torch.bfloat16


class TestBfloat16:
    def test_answers_are_those_of_float32_but_for_its_rounding(
        self, make_student: MakeStudent
    ) -> None:
        texts = make_pool(32).texts
        exact = make_student().predict(texts).probabilities
        rounded = make_student(precision="bfloat16").predict(texts).probabilities
        assert 0 < np.abs(rounded - exact).max() < 0.02

    def test_weights_stay_in_float32(self, make_student: MakeStudent) -> None:
        student = make_student(precision="bfloat16")
        learn(student)
        assert {each.dtype for each in student._model.parameters()} == {torch.float32}

    def test_it_learns(self, make_student: MakeStudent) -> None:
        losses = learn(make_student(precision="bfloat16"), steps=60)
        assert np.mean(losses[-5:]) < 0.5 * losses[0]

    def test_training_goes_on_bit_for_bit(self, make_student: MakeStudent, tmp_path: Path) -> None:
        undisturbed, first = (make_student(precision="bfloat16") for _ in range(2))
        learn(undisturbed, steps=5)
        learn(first, steps=2)
        first.save_training(tmp_path)
        second = make_student(precision="bfloat16")
        second.restore_training(tmp_path)
        learn(second, steps=3)
        assert second.weights_sha256() == undisturbed.weights_sha256()
