"""An exported model brings along its temperature and what certifies it, answered by itself."""

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from llkd.cascade import halve
from llkd.certification import CERTIFICATION, CertificationTexts, read_certification
from llkd.certifying import certify_engine
from llkd.engines.base import EngineName
from llkd.export import EXPORTED_FILES, Exported, export_student
from llkd.predictor import Predictor
from llkd.predictor_manifest import read_manifest
from tests.llkd.export.conftest import TEXTS, Trained, make_card
from tests.llkd.tiny_bert import make_pool

POOL = make_pool(120, seed=11)
# A teacher that is wrong on every fifth text, so that the student is too sure of agreeing.
LABELS = np.where(np.arange(120) % 5 == 0, (POOL.labels + 1) % 3, POOL.labels)


def certified(trained: Trained, destination: Path, *, told: list[int] | None = None) -> Exported:
    heard: list[int] = [] if told is None else told
    return export_student(
        trained.folder,
        destination,
        card=make_card(),
        texts=TEXTS,
        reference=trained.answer,
        certification=CertificationTexts(POOL.texts, LABELS, "certification"),
        told=heard.append,
    )


@pytest.fixture(scope="module")
def exported(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    return certified(trained, tmp_path_factory.mktemp("certified"))


def test_it_holds_one_file_more(exported):
    assert set(exported.files) == {*EXPORTED_FILES, CERTIFICATION}


def test_manifest_card_and_file_say_the_same_temperature(exported):
    found = read_certification(exported.files[CERTIFICATION])
    assert read_manifest(exported.files["llkd.json"]).temperature == found.temperature
    assert found.temperature > 1
    assert f"divided by {found.temperature:.3f}" in exported.files["README.md"].read_text()


def test_its_scores_are_those_of_the_served_model(exported):
    """Each half again by a predictor that reads the temperature from the manifest."""
    halves = read_certification(exported.files[CERTIFICATION]).engines["onnxruntime"]
    probabilities = Predictor.load(exported.files).classify(POOL.texts).probabilities
    predicted = probabilities.argmax(axis=1)
    for half, places in zip((halves.shaping, halves.certifying), halve(120), strict=True):
        assert half.predicted.tolist() == predicted[places].tolist()
        assert half.score == pytest.approx(probabilities.max(axis=1)[places], abs=1e-6)
        assert half.agrees.tolist() == (predicted == LABELS)[places].tolist()


def test_scores_become_truer(exported):
    assert exported.certified is not None
    assert exported.certified.ece_after < exported.certified.ece_before


def test_equal_runs_give_equal_bytes_and_tell_how_far_they_are(trained, exported, tmp_path):
    told: list[int] = []
    again = certified(trained, tmp_path / "again", told=told)
    assert told == [120]
    for name, path in exported.files.items():
        digests = {
            hashlib.sha256(each.read_bytes()).hexdigest() for each in (path, again.files[name])
        }
        assert len(digests) == 1, name


def test_no_text_leaves_with_the_model(exported):
    content = exported.files[CERTIFICATION].read_text()
    assert not any(text in content for text in POOL.texts)


def test_another_engine_answers_for_itself(exported, tmp_path):
    folder = tmp_path / "served"
    shutil.copytree(exported.files[CERTIFICATION].parent, folder)
    given = CertificationTexts(POOL.texts, LABELS, "certification")
    certify_engine(folder, given, EngineName.OPENVINO_BF16)
    found = read_certification(folder / CERTIFICATION)
    assert set(found.engines) == {"onnxruntime", "openvino_bf16"}
    files = {path.name: path for path in folder.iterdir()}
    served = Predictor.load(files, EngineName.OPENVINO_BF16).classify(POOL.texts).probabilities
    half = found.engines["openvino_bf16"].certifying
    places = halve(120)[1]
    assert half.score == pytest.approx(served.max(axis=1)[places], abs=1e-3)
    assert half.agrees.tolist() == (served.argmax(axis=1) == LABELS)[places].tolist()
    reference = read_certification(exported.files[CERTIFICATION]).engines
    assert found.engines["onnxruntime"].shaping.score.tolist() == (
        reference["onnxruntime"].shaping.score.tolist()
    )
