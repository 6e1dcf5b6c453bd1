"""What is exported answers as the student, holds nothing else, and is the same every time."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from llkd.errors import ExportMismatch
from llkd.export import EXPORTED_FILES, export_student
from llkd.export_onnx import write_onnx
from llkd.export_parity import PARITY_ROWS, TOLERANCE, check_parity, probe_texts
from llkd.export_reference import saved_student
from llkd.specs import Label, StaticSpec
from llkd.students.encoder import EncoderClassifier
from tests.llkd.conftest import MakeStudent, learn
from tests.llkd.export.conftest import MAX_LENGTH, TEXTS, Trained, make_card


def digests(files: dict[str, Path]) -> dict[str, str]:
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


class TestExportStudent:
    def test_it_answers_as_the_student(self, exported):
        assert exported.parity.rows == PARITY_ROWS
        assert exported.parity.max_difference <= 1e-5
        assert exported.parity.argmax_agreement == 1.0

    def test_it_holds_the_expected_files_alone(self, exported):
        folder = exported.files["llkd.json"].parent
        assert {path.name for path in folder.iterdir()} == set(EXPORTED_FILES)
        assert set(exported.files) == set(EXPORTED_FILES)

    def test_equal_runs_give_equal_bytes(self, trained, exported, tmp_path):
        assert digests(trained.export(tmp_path / "again").files) == digests(exported.files)

    def test_no_file_names_a_folder_of_this_machine(self, exported):
        own = [
            str(Path(path).parent).encode() for path in (__file__, onnx.__file__, Path.home() / "x")
        ]
        for path in exported.files.values():
            content = path.read_bytes()
            assert not any(folder in content for folder in own), path.name
            assert b"site-packages" not in content, path.name

    def test_the_manifest_says_what_a_predictor_needs(self, exported):
        manifest = json.loads(exported.files["llkd.json"].read_text())
        assert manifest == {
            "format_version": 1,
            "kind": "encoder",
            "labels": ["billing", "tech", "login"],
            "class_count": 3,
            "max_length": 32,
            "pad_id": 0,
            "pooling": "mean",
            "temperature": None,
            "base_model": "local/tiny",
            "base_revision": None,
        }

    def test_the_tokenizer_neither_pads_nor_cuts(self, exported):
        tokenizer = Tokenizer.from_file(str(exported.files["tokenizer.json"]))
        assert tokenizer.padding is None
        assert tokenizer.truncation is None

    def test_the_weights_are_the_trained_ones(self, trained, exported):
        before = load_file(trained.folder / "model.safetensors")
        after = load_file(exported.files["model.safetensors"])
        assert before.keys() == after.keys()
        assert all(np.array_equal(before[name], after[name]) for name in before)

    def test_the_folder_can_be_loaded_for_more_training(self, trained, exported):
        network = EncoderClassifier.load(exported.files["llkd.json"].parent)
        assert network.class_count == 3

    def test_a_destination_in_use_is_refused(self, trained, tmp_path):
        (tmp_path / "stray").write_text("x")
        with pytest.raises(FileExistsError):
            trained.export(tmp_path)

    def test_as_many_labels_as_outputs_are_needed(self, trained, tmp_path):
        with pytest.raises(ExportMismatch, match="3 outputs for 2 labels"):
            trained.export(tmp_path / "new", labels=[Label(name="a"), Label(name="b")])

    def test_a_student_that_answers_otherwise_is_never_published(self, trained, tmp_path):
        def swapped(texts):
            return trained.answer(texts)[:, ::-1]

        with pytest.raises(ExportMismatch, match="away from"):
            export_student(
                trained.folder, tmp_path / "new", card=make_card(), texts=TEXTS, reference=swapped
            )


class TestWriteOnnx:
    def test_batch_and_length_are_free_and_nothing_describes_the_trace(self, exported):
        model = onnx.load(exported.files["model.onnx"])
        shapes = [
            [axis.dim_param for axis in entry.type.tensor_type.shape.dim]
            for entry in model.graph.input
        ]
        assert shapes == [["batch", "length"]] * 2
        assert not model.graph.value_info
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)

    def test_weights_beyond_one_file_are_refused(self, trained, tmp_path, monkeypatch):
        monkeypatch.setattr("llkd.export_onnx.MOST_WEIGHT_BYTES", 1000)
        with pytest.raises(ValueError, match="do not fit into one ONNX file"):
            write_onnx(EncoderClassifier.load(trained.folder), tmp_path / "model.onnx")


class TestCheckParity:
    @pytest.fixture
    def folder(self, exported, tmp_path) -> Path:
        return Path(shutil.copytree(exported.files["llkd.json"].parent, tmp_path / "copy"))

    def test_just_over_the_tolerance_is_too_much(self, folder, trained):
        def nudged(texts):
            probabilities = trained.answer(texts)
            probabilities[-1, 0] += 1.2 * TOLERANCE
            return probabilities

        with pytest.raises(ExportMismatch):
            check_parity(folder, TEXTS, nudged)

    def test_a_damaged_file_is_a_mismatch_with_a_reason(self, folder, trained):
        path = folder / "model.onnx"
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(ExportMismatch, match=r"cannot be loaded: .+"):
            check_parity(folder, TEXTS, trained.answer)

    def test_answers_that_are_not_numbers_are_a_mismatch(self, folder, trained):
        model = onnx.load(folder / "model.onnx")
        bias = next(entry for entry in model.graph.initializer if entry.name == "head.bias")
        bias.CopyFrom(onnx.numpy_helper.from_array(np.full(3, np.nan, np.float32), "head.bias"))
        onnx.save(model, folder / "model.onnx")
        with pytest.raises(ExportMismatch, match="finite"):
            check_parity(folder, TEXTS, trained.answer)

    def test_a_reference_of_not_a_number_is_a_mismatch(self, folder, trained):
        with pytest.raises(ExportMismatch):
            check_parity(folder, TEXTS, lambda texts: trained.answer(texts) * np.nan)


class TestProbeTexts:
    def test_there_are_sixty_four_whatever_was_given(self):
        assert [len(probe_texts(texts)) for texts in ([], ["one"], TEXTS)] == [64] * 3

    def test_the_shortest_the_longest_and_the_odd_are_among_them(self):
        probes = probe_texts([f"{'a' * size}" for size in range(5, 500)])
        assert {"a" * 5, "a" * 499, "", "日本語のテキストです。"} <= set(probes)

    def test_the_choice_is_the_same_every_time(self):
        assert probe_texts(TEXTS) == probe_texts(list(reversed(TEXTS)))


class TestSavedStudent:
    def test_it_answers_as_the_one_in_memory(self, trained):
        assert saved_student(trained.folder)(TEXTS) == pytest.approx(
            trained.answer(TEXTS), abs=1e-5
        )


@pytest.mark.parametrize("make_student", [StaticSpec], indirect=True)
class TestStatic:
    def test_it_answers_as_the_student(self, make_student: MakeStudent, tmp_path: Path) -> None:
        student = make_student(max_length=MAX_LENGTH)
        learn(student, steps=60)
        student.save_model(tmp_path / "trained")
        trained = Trained(student, tmp_path / "trained")
        exported = trained.export(tmp_path / "exported", student="static")
        assert exported.parity.max_difference <= 1e-5
        assert json.loads(exported.files["llkd.json"].read_text())["kind"] == "static"
        assert "no word order" in exported.files["README.md"].read_text()
