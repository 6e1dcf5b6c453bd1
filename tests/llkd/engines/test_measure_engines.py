"""Engines are measured in processes of their own, and one that breaks is said to."""

import numpy as np
import onnx

from llkd import measure_engines as module
from llkd.engines.base import REFERENCE, EngineName
from llkd.engines.catalog import INT8_GRAPH
from llkd.engines.machine import this_machine
from llkd.measure_engines import draw_texts, measure_engines
from llkd.predictor_manifest import MODEL
from llkd.silent_openvino import openvino
from tests.llkd.engines.conftest import POOL

BF16, INT8 = EngineName.OPENVINO_BF16, EngineName.OPENVINO_INT8


def of(measured, name):
    return next(each for each in measured.engines if each.engine is name)


class TestMeasureEngines:
    def test_each_engine_has_its_figures_or_its_reason(self, files, labels):
        measured = measure_engines(files, POOL.texts, labels)
        assert [each.engine for each in measured.engines] == list(EngineName)
        assert (measured.texts, measured.note) == (len(POOL.texts), None)
        assert measured.machine == this_machine()
        reference, quantized = of(measured, REFERENCE), of(measured, INT8)
        assert (reference.state, reference.agreement, reference.accuracy) == ("reference", 1.0, 1.0)
        assert (quantized.state, quantized.batch_flips) == ("passed", 0)
        assert min(quantized.texts_per_cpu_second, quantized.p50_ms) > 0
        assert of(measured, EngineName.ONNXRUNTIME_CUDA).state == "absent"
        assert (of(measured, BF16).state == "absent") == (not this_machine().has_bf16)
        assert measured.chosen in {each.engine for each in measured.engines}

    def test_a_broken_engine_fails_with_its_reason(self, files, labels, tmp_path):
        model = onnx.load(files[MODEL])
        head = next(each for each in model.graph.initializer if each.name == "head.bias")
        head.CopyFrom(
            onnx.numpy_helper.from_array(np.array([99, 0, 0], dtype=np.float32), "head.bias")
        )
        onnx.save(model, tmp_path / "other.onnx")
        graph = openvino.Core().read_model(str(tmp_path / "other.onnx"))
        openvino.save_model(graph, str(tmp_path / INT8_GRAPH), compress_to_fp16=False)
        broken = {name: tmp_path / name for name in ("model_int8.xml", "model_int8.bin")}
        measured = measure_engines({**files, **broken}, POOL.texts, labels, candidates=[INT8])
        assert "agrees with the reference" in (of(measured, INT8).reason or "")
        assert measured.chosen is REFERENCE

    def test_a_process_that_dies_fails_with_its_last_words(self, files, labels, tmp_path):
        (tmp_path / INT8_GRAPH).write_text("<net")
        broken = {INT8_GRAPH: tmp_path / INT8_GRAPH}
        measured = measure_engines({**files, **broken}, POOL.texts, labels, candidates=[INT8])
        assert "its process ended with 1" in (of(measured, INT8).reason or "")
        assert measured.chosen is REFERENCE

    def test_one_that_never_ends_fails(self, files, labels, monkeypatch):
        monkeypatch.setattr(module, "PATIENCE", module.PATIENCE * 0)
        measured = measure_engines(files, POOL.texts, labels)
        assert "could not be measured: it did not end within 0 s" in (measured.note or "")

    def test_with_few_texts_nothing_is_compared(self, files, labels):
        measured = measure_engines(files, POOL.texts[:99], labels[:99])
        assert (measured.chosen, measured.texts, measured.engines) == (REFERENCE, 0, ())
        assert "99 validation texts are too few" in (measured.note or "")

    def test_a_model_too_slow_to_compare_keeps_the_reference(self, files, labels):
        measured = measure_engines(files, POOL.texts, labels, seconds=0.0)
        assert "were answered within 0 CPU seconds" in (measured.note or "")
        assert measured.chosen is REFERENCE


class TestDrawTexts:
    def test_each_text_comes_once_with_its_first_label_by_lot(self):
        texts = [f"text {number}" for number in range(800)]
        drawn, labels = draw_texts([*texts, *texts], np.arange(1600))
        assert len(set(drawn)) == len(drawn) == module.MOST_TEXTS
        assert [f"text {label}" for label in labels] == drawn
        assert drawn != sorted(drawn)
        assert draw_texts([*texts, *texts], np.arange(1600))[0] == drawn

    def test_of_few_all_are_taken(self):
        drawn, labels = draw_texts(["b", "a"], np.array([1, 0]))
        assert sorted(zip(drawn, labels.tolist(), strict=True)) == [("a", 0), ("b", 1)]

    def test_of_none_none(self):
        assert draw_texts([], np.zeros(0, dtype=np.int64))[0] == []
