"""An exported model answers without torch, in order, each text for itself."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llkd.predictor import (
    LENGTH_RATIO,
    LENGTH_STEP,
    MOST_ROWS,
    MOST_TOKENS,
    Predictor,
    batches_by_length,
)
from llkd.tokens import CHARACTERS_A_TOKEN
from tests.llkd.export.conftest import MAX_LENGTH, TEXTS

MANY = [*TEXTS, "", "word1 " * 200, "refund", "never seen", "日本語"] * 2

IN_A_FRESH_PROCESS = """
import json, sys
from pathlib import Path
from llkd.predictor import Predictor
files = {name: Path(path) for name, path in json.load(sys.stdin).items()}
answers = Predictor.load(files).classify(["refund word1", ""])
print(json.dumps([answers.probabilities.tolist(), sorted({m.split(".")[0] for m in sys.modules})]))
"""


class TestLoad:
    def test_files_may_lie_anywhere_under_any_name(self, exported, tmp_path):
        moved = {}
        for number, (name, path) in enumerate(exported.files.items()):
            moved[name] = tmp_path / f"{number:064x}"
            moved[name].write_bytes(path.read_bytes())
        assert Predictor.load(moved).labels == ("billing", "tech", "login")

    def test_neither_torch_nor_transformers_is_imported(self, exported, predictor):
        paths = {name: str(path) for name, path in exported.files.items()}
        done = subprocess.run(
            [sys.executable, "-c", IN_A_FRESH_PROCESS],
            input=json.dumps(paths),
            capture_output=True,
            text=True,
            check=True,
        )
        probabilities, modules = json.loads(done.stdout)
        assert "onnxruntime" in modules
        assert not {"torch", "transformers", "sklearn", "onnx"} & set(modules)
        assert np.allclose(probabilities, predictor.classify(["refund word1", ""]).probabilities)

    def test_a_missing_file_is_named(self, exported):
        files = {name: path for name, path in exported.files.items() if name != "tokenizer.json"}
        with pytest.raises(ValueError, match=r"a model needs tokenizer\.json"):
            Predictor.load(files)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"format_version": 2}, "format version 1"),
            ({"labels": ["only"]}, "makes no sense"),
            ({"temperature": 0}, "makes no sense"),
            ({"max_length": None}, "has no 'max_length'"),
        ],
    )
    def test_a_manifest_it_cannot_read_is_refused(self, exported, tmp_path, change, message):
        content = json.loads(exported.files["llkd.json"].read_text()) | change
        kept = {key: value for key, value in content.items() if value is not None}
        kept.setdefault("temperature", None)
        kept.setdefault("base_revision", None)
        (tmp_path / "llkd.json").write_text(json.dumps(kept))
        with pytest.raises(ValueError, match=message):
            Predictor.load(exported.files | {"llkd.json": tmp_path / "llkd.json"})

    def test_its_size_is_that_of_its_files(self, exported, predictor):
        names = ("model.onnx", "tokenizer.json", "llkd.json")
        assert predictor.size_bytes == sum(exported.files[name].stat().st_size for name in names)


class TestClassify:
    def test_answers_come_in_the_texts_order(self, predictor, trained):
        answers = predictor.classify(MANY)
        expected = trained.student.predict(MANY)
        assert answers.probabilities == pytest.approx(expected.probabilities, abs=1e-5)
        assert answers.tokens == expected.tokens
        assert answers.truncated.tolist() == expected.truncated.tolist()
        assert len({tuple(row.round(6)) for row in answers.probabilities}) > 20

    def test_rows_sum_to_one(self, predictor):
        assert predictor.classify(MANY).probabilities.sum(axis=1) == pytest.approx(1, abs=1e-12)

    def test_neighbours_do_not_move_an_answer(self, predictor):
        together = predictor.classify(MANY).probabilities
        alone = np.vstack([predictor.classify([text]).probabilities for text in MANY])
        assert np.abs(together - alone).max() < 1e-5

    def test_the_temperature_flattens(self, exported, predictor, tmp_path):
        content = json.loads(exported.files["llkd.json"].read_text()) | {"temperature": 4.0}
        (tmp_path / "llkd.json").write_text(json.dumps(content))
        flat = Predictor.load(exported.files | {"llkd.json": tmp_path / "llkd.json"})
        sharp, soft = (each.classify(TEXTS).probabilities for each in (predictor, flat))
        assert (soft.argmax(axis=1) == sharp.argmax(axis=1)).all()
        powers = sharp**0.25
        assert soft == pytest.approx(powers / powers.sum(axis=1, keepdims=True), abs=1e-6)

    def test_the_empty_string_has_an_answer_of_two_tokens(self, predictor):
        answers = predictor.classify([""])
        assert np.isfinite(answers.probabilities).all()
        assert (answers.tokens, answers.truncated.tolist()) == (2, [False])

    def test_no_text_gives_no_answer(self, predictor):
        answers = predictor.classify([])
        assert answers.probabilities.shape == (0, 3)
        assert answers.tokens == 0

    def test_exactly_what_fits_is_not_called_cut(self, predictor):
        words = MAX_LENGTH - 2
        answers = predictor.classify(
            [" ".join(["word1"] * words), " ".join(["word1"] * (words + 1))]
        )
        assert answers.truncated.tolist() == [False, True]
        assert answers.tokens == 2 * MAX_LENGTH

    def test_characters_beyond_any_token_are_not_read_and_called_cut(self, predictor):
        limit = CHARACTERS_A_TOKEN * MAX_LENGTH
        answers = predictor.classify(["refund" + " " * (limit - 6), "refund" + " " * limit])
        assert answers.truncated.tolist() == [False, True]
        assert (answers.probabilities[0] == answers.probabilities[1]).all()

    def test_half_a_surrogate_pair_has_an_answer(self, predictor):
        broken, read_as = predictor.classify(["refund \ud83d", "refund ?"]).probabilities
        assert broken == pytest.approx(read_as)

    def test_threads_may_share_it(self, predictor):
        expected = predictor.classify(MANY).probabilities
        with ThreadPoolExecutor(4) as pool:
            for answers in pool.map(lambda _: predictor.classify(MANY), range(12)):
                assert np.array_equal(answers.probabilities, expected)


class TestBatchesByLength:
    @given(st.lists(st.integers(1, 3000), max_size=80))
    def test_each_text_once_among_its_like(self, lengths):
        batches = list(batches_by_length(lengths))
        assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
        for batch in batches:
            own = [lengths[place] for place in batch]
            assert len(batch) <= MOST_ROWS
            assert len(batch) == 1 or len(batch) * max(own) <= MOST_TOKENS
            assert max(own) <= LENGTH_RATIO * min(own) + LENGTH_STEP

    def test_texts_of_one_length_fill_batches(self):
        assert [len(batch) for batch in batches_by_length([20] * 20)] == [8, 8, 4]
