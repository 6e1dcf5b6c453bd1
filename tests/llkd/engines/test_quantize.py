"""A quantized graph is written where NNCF is installed; else it is said why there is none."""

import subprocess
from importlib.util import find_spec

import pytest

from llkd import quantize as module
from llkd.engines.base import EngineName
from llkd.engines.catalog import INT8_FILES
from llkd.predictor import Predictor
from llkd.quantize import quantize, remove_quantized
from tests.llkd.engines.conftest import POOL


@pytest.fixture
def folder(exported, tmp_path):
    for name, path in exported.files.items():
        (tmp_path / name).write_bytes(path.read_bytes())
    return tmp_path


def names(folder):
    return {path.name for path in folder.iterdir()}


class TestQuantize:
    @pytest.mark.skipif(
        find_spec("nncf") is None,
        reason="nncf is an extra: pip install 'llkd-service[openvino-int8]'",
    )
    def test_equal_models_give_equal_bytes_that_answer(self, folder):
        before = names(folder)
        contents = []
        for _ in range(2):
            assert quantize(folder, POOL.texts[:20]) is None
            contents.append([(folder / name).read_bytes() for name in INT8_FILES])
        assert contents[0] == contents[1]
        assert names(folder) == before | set(INT8_FILES)
        files = {path.name: path for path in folder.iterdir()}
        answers = Predictor.load(files, EngineName.OPENVINO_INT8).classify(POOL.texts)
        expected = Predictor.load(files).classify(POOL.texts).probabilities
        assert (answers.probabilities.argmax(1) == expected.argmax(1)).mean() > 0.9

    def test_without_the_package_it_says_so(self, folder, monkeypatch):
        monkeypatch.setattr(module, "find_spec", lambda name: name == "openvino" or None)
        before = names(folder)
        assert "not both installed" in (quantize(folder, POOL.texts) or "")
        assert names(folder) == before

    def test_a_failure_leaves_the_folder_as_it_was(self, folder, monkeypatch):
        def fail(command, **_):
            (folder / INT8_FILES[0]).write_text("half")
            raise subprocess.CalledProcessError(1, command, stderr=b"a trace\nno such operator")

        monkeypatch.setattr(module, "find_spec", lambda name: True)
        monkeypatch.setattr("llkd.quantize.subprocess.run", fail)
        before = names(folder)
        assert quantize(folder, POOL.texts) == "quantization failed: no such operator"
        assert names(folder) == before

    def test_what_was_never_made_can_be_removed(self, folder):
        remove_quantized(folder)
        assert not set(INT8_FILES) & names(folder)
