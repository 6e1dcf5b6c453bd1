"""Every engine answers as the reference does, to threads at once, in shapes that it likes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from llkd.engines import catalog
from llkd.engines.base import EngineName, EngineUnavailable
from llkd.engines.catalog import INT8_FILES, why_absent
from llkd.engines.machine import this_machine
from llkd.engines.onnx_cuda import OnnxCudaEngine
from llkd.engines.openvino import OpenVinoEngine
from llkd.predictor import MOST_TOKENS, Predictor
from llkd.predictor_manifest import MODEL
from tests.llkd.engines.conftest import POOL
from tests.llkd.export.conftest import MAX_LENGTH

BF16, INT8 = EngineName.OPENVINO_BF16, EngineName.OPENVINO_INT8
# A hundredth of a probability: bfloat16 has eight bits.
CLOSE = {BF16: 0.02, INT8: 1e-5}


@pytest.fixture
def bf16_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor without bfloat16 computes it slowly, and right."""
    machine = replace(this_machine(), flags=("avx512_bf16",))
    monkeypatch.setattr(catalog, "this_machine", lambda: machine)


@pytest.mark.usefixtures("bf16_anywhere")
@pytest.mark.parametrize("name", [BF16, INT8])
class TestOpenVino:
    def test_it_answers_as_the_reference(self, files, name):
        found = Predictor.load(files, name)
        expected = Predictor.load(files).classify(POOL.texts).probabilities
        answers = found.classify(POOL.texts).probabilities
        assert found.engine is name
        assert np.abs(answers - expected).max() < CLOSE[name]

    def test_threads_may_share_it(self, files, name):
        found = Predictor.load(files, name)
        expected = found.classify(POOL.texts).probabilities
        with ThreadPoolExecutor(4) as pool:
            for answers in pool.map(lambda _: found.classify(POOL.texts), range(8)):
                assert np.abs(answers.probabilities - expected).max() < 1e-6

    def test_first_calls_may_come_at_once(self, files, name):
        with ThreadPoolExecutor(4) as pool:
            loaded = list(pool.map(lambda _: Predictor.load(files, name), range(4)))
        assert {each.engine for each in loaded} == {name}


class TestShapes:
    @pytest.fixture
    def engine(self, files):
        return OpenVinoEngine.load(files[MODEL], name=BF16, longest=30, streams=1)

    @pytest.mark.parametrize(("tokens", "width"), [(1, 8), (8, 8), (9, 16), (25, 30), (30, 30)])
    def test_widths_go_in_steps_and_never_beyond_what_the_model_reads(self, engine, tokens, width):
        assert engine.shape_for(3, tokens) == (3, width)

    def test_the_padding_does_not_move_an_answer(self, files, engine):
        ids = np.array([[2, 5, 6, 7, 3]], dtype=np.int64)
        plain = engine.logits(ids, np.ones_like(ids))
        padded = np.pad(ids, ((0, 0), (0, 11)))
        mask = (np.arange(16) < 5).astype(np.int64)[None]
        assert np.abs(engine.logits(padded, mask) - plain).max() < 0.05


class Recorder:
    """In the place of a compiled graph: notes the shapes that are computed."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def create_infer_request(self):
        return self

    def infer(self, inputs):
        self.shapes.append(inputs["input_ids"].shape)

    def get_output_tensor(self, _):
        return SimpleNamespace(data=[])


class TestWarming:
    @pytest.mark.parametrize(("longest", "widest"), [(30, 30), (512, 512), (8192, 512)])
    def test_no_batch_is_larger_than_those_that_are_served(self, longest, widest):
        compiled = Recorder()
        OpenVinoEngine(compiled, name=BF16, streams=1, longest=longest).warm()
        assert max(width for _, width in compiled.shapes) == widest
        assert max(rows * width for rows, width in compiled.shapes) <= MOST_TOKENS
        assert {rows for rows, _ in compiled.shapes} == {1, 8}


class TestWhatIsAbsent:
    def test_bf16_without_such_instructions(self, files):
        machine = replace(this_machine(), flags=("avx2",))
        assert "no bfloat16" in (why_absent(BF16, files, machine=machine) or "")

    def test_int8_without_a_quantized_graph(self, files):
        plain = {name: path for name, path in files.items() if name not in INT8_FILES}
        assert "without a quantized graph" in (why_absent(INT8, plain) or "")
        with pytest.raises(EngineUnavailable):
            Predictor.load(plain, INT8)

    def test_openvino_where_it_is_not_installed(self, files, monkeypatch):
        monkeypatch.setattr(catalog, "find_spec", lambda name: None)
        machine = replace(this_machine(), flags=("amx_bf16",))
        for name in (BF16, INT8):
            assert "not installed" in (why_absent(name, files, machine=machine) or "")

    def test_cuda_without_a_runtime_for_it(self, files, monkeypatch):
        for module in ("llkd.engines.catalog", "llkd.engines.onnx_cuda"):
            monkeypatch.setattr(f"{module}.is_built_in", lambda: False)
        assert "without CUDA" in (why_absent(EngineName.ONNXRUNTIME_CUDA, files) or "")
        with pytest.raises(EngineUnavailable, match="without CUDA"):
            OnnxCudaEngine.load(files[MODEL], longest=MAX_LENGTH)

    def test_cuda_that_falls_back_to_the_processor(self, files, monkeypatch):
        """The runtime says so in its log alone, and would serve at a processor's pace."""
        monkeypatch.setattr("llkd.engines.onnx_cuda.is_built_in", lambda: True)
        with (
            pytest.warns(UserWarning, match="CUDAExecutionProvider"),
            pytest.raises(EngineUnavailable, match="cannot be used on this machine"),
        ):
            OnnxCudaEngine.load(files[MODEL], longest=MAX_LENGTH)

    def test_the_reference_is_never_absent(self):
        assert why_absent(EngineName.ONNXRUNTIME, ()) is None


class TestCudaShapes:
    @pytest.mark.parametrize(
        ("rows", "tokens", "shape"), [(1, 3, (1, 8)), (3, 17, (4, 24)), (8, 32, (8, 30))]
    )
    def test_there_are_few_of_them(self, rows, tokens, shape):
        engine = OnnxCudaEngine(None, longest=30)
        assert engine.shape_for(rows, min(tokens, 30)) == shape
