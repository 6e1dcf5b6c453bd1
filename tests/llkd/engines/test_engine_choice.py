"""What serves is what won on an equal machine, if it can be used; else the reference."""

from dataclasses import replace
from typing import get_args

import pytest

from core.config import Settings
from llkd.engine_choice import choose_for, choose_here, with_measurement
from llkd.engines import catalog
from llkd.engines.base import REFERENCE, EngineName
from llkd.engines.machine import this_machine

BF16, INT8 = EngineName.OPENVINO_BF16, EngineName.OPENVINO_INT8
HERE = replace(this_machine(), flags=("avx512_bf16",))
FILES = ("model.onnx",)


def measured(chosen: str = BF16.value, *, machine=HERE, note=None):
    return {
        "machine": machine.to_json(),
        "measured_at": "2026-01-01T00:00:00+00:00",
        "texts": 500,
        "chosen": chosen,
        "note": note,
        "engines": [],
    }


def choose(*machines, **given):
    return choose_here({"machines": list(machines)}, files=FILES, machine=HERE, **given)


class TestChooseHere:
    def test_what_won_on_an_equal_machine_serves(self):
        choice = choose(measured())
        assert (choice.engine, choice.reason) == (BF16, "fastest that passed on 500 texts")

    @pytest.mark.parametrize(
        "other",
        [
            replace(HERE, processor="Another"),
            replace(HERE, flags=("amx_bf16",)),
            replace(HERE, packages={**HERE.packages, "openvino": "2020.1"}),
            replace(HERE, gpus=("NVIDIA H100",)),
        ],
    )
    def test_figures_of_another_machine_say_nothing(self, other):
        choice = choose(measured(machine=other))
        assert choice.engine is REFERENCE
        assert "not measured on a machine like this one" in choice.reason

    def test_a_model_of_an_earlier_release_is_served_by_the_reference(self):
        assert choose_here(None, files=FILES).engine is REFERENCE
        assert choose_for({}, pinned="auto").engine is REFERENCE

    def test_a_library_that_is_gone_leaves_the_reference(self, monkeypatch):
        monkeypatch.setattr(catalog, "find_spec", lambda name: None)
        choice = choose(measured())
        assert choice.engine is REFERENCE
        assert choice.reason == (
            "openvino_bf16 cannot be used here: the package openvino is not installed"
        )

    def test_an_engine_of_a_later_release_leaves_the_reference(self):
        choice = choose(measured("abacus"))
        assert (choice.engine, choice.reason) == (REFERENCE, "abacus is not known to this release")

    def test_why_nothing_was_compared_is_passed_on(self):
        assert choose(measured(REFERENCE.value, note="too few")).reason == "too few"

    def test_the_operator_may_pin_one_that_was_never_measured(self):
        assert choose(pinned=BF16).engine is BF16
        assert choose(measured(), pinned=REFERENCE).engine is REFERENCE

    def test_a_pinned_one_that_cannot_be_used_leaves_the_reference(self):
        choice = choose(measured(), pinned=INT8)
        assert choice.engine is REFERENCE
        assert "without a quantized graph" in choice.reason


class TestWithMeasurement:
    def test_a_machine_has_one_entry_the_newest(self):
        other = replace(HERE, processor="Another")
        before = {"validation": "d", "machines": [measured(), measured(machine=other)]}
        after = with_measurement(before, measured("onnxruntime"))
        assert after["validation"] == "d"
        assert [each["chosen"] for each in after["machines"]] == [BF16, "onnxruntime"]
        assert len(with_measurement({}, measured())["machines"]) == 1


def test_the_setting_knows_every_engine():
    field = Settings.model_fields["predict_engine"]
    assert set(get_args(field.annotation)) == {"auto", *EngineName}
