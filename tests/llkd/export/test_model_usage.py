"""The code on a card answers as the model does, without this project."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from llkd.export import EXPORTED_FILES, Exported
from llkd.export_reference import saved_student
from llkd.predictor import Predictor
from llkd.specs import StaticSpec
from tests.llkd.conftest import MakeStudent, learn
from tests.llkd.export.conftest import TEXTS, Trained

ONNX_NEEDS = {"README.md", "llkd.json", "model.onnx", "tokenizer.json"}
TORCH_NEEDS = {"README.md", "config.json", "llkd.json", "model.safetensors", "tokenizer.json"}


def run_card(files: dict[str, Path], needed: set[str], folder: Path, *, block: int) -> list[object]:
    """What the card's code answers in a folder that holds nothing but these files."""
    for name in needed:
        (folder / name).write_bytes(files[name].read_bytes())
    code = re.findall(r"```python\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL)[block]
    tail = (
        f"\nimport sys\nassert not [name for name in sys.modules if name.startswith('llkd')]\n"
        f"print(json.dumps(classify({list(TEXTS)!r}).tolist()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code + tail],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers: list[object] = json.loads(done.stdout.splitlines()[-1])
    return answers


class TestEncoder:
    @pytest.mark.parametrize(("block", "needed"), [(0, ONNX_NEEDS), (1, TORCH_NEEDS)])
    def test_the_cards_code_answers_as_the_model(
        self, exported: Exported, tmp_path: Path, block: int, needed: set[str]
    ) -> None:
        assert needed <= set(EXPORTED_FILES)
        answers = run_card(exported.files, needed, tmp_path, block=block)
        own = Predictor.load(exported.files).classify(TEXTS).probabilities
        assert np.abs(np.array(answers) - own).max() < 1e-5


@pytest.mark.parametrize("make_student", [StaticSpec], indirect=True)
class TestStatic:
    @pytest.mark.parametrize(("block", "needed"), [(0, ONNX_NEEDS), (1, TORCH_NEEDS)])
    def test_the_cards_code_answers_as_the_model(
        self, make_student: MakeStudent, tmp_path: Path, block: int, needed: set[str]
    ) -> None:
        student = make_student()
        learn(student, steps=60)
        for name in ("trained", "empty"):
            (tmp_path / name).mkdir()
        student.save_model(tmp_path / "trained")
        trained = Trained(student, tmp_path / "trained")
        exported = trained.export(tmp_path / "exported", student="static")
        answers = run_card(exported.files, needed, tmp_path / "empty", block=block)
        own = saved_student(trained.folder)(TEXTS)
        assert np.abs(np.array(answers) - own).max() < 1e-5
