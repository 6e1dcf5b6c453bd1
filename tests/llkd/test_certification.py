"""What certifies a model comes back as it was written, and nonsense is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from llkd.certification import (
    CERTIFICATION,
    Certification,
    Halves,
    read_certification,
    write_certification,
)
from llkd.threshold_path import Observed


def observed(*, label: int = 1, score: float = 0.75) -> Observed:
    return Observed(np.array([0, label]), np.array([1.0, score]), np.array([True, False]))


def written(path: Path, **changes: object) -> Path:
    halves = Halves(observed(), observed(score=0.5))
    write_certification(
        Certification(("a", "b"), "certification", 1.25, {"onnxruntime": halves}), path
    )
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return path


def test_it_is_read_as_it_was_written(tmp_path):
    found = read_certification(written(tmp_path / CERTIFICATION))
    assert (found.labels, found.source, found.temperature) == (("a", "b"), "certification", 1.25)
    halves = found.engines["onnxruntime"]
    assert halves.shaping.predicted.tolist() == [0, 1]
    assert halves.shaping.score.tolist() == [1.0, 0.75]
    assert halves.certifying.score.tolist() == [1.0, 0.5]
    assert halves.certifying.agrees.tolist() == [True, False]


@pytest.mark.parametrize(
    "half",
    [
        {"predicted": [2], "score": [0.5], "agrees": [1]},
        {"predicted": [-1], "score": [0.5], "agrees": [1]},
        {"predicted": [0], "score": [1.5], "agrees": [1]},
        {"predicted": [0, 1], "score": [0.5], "agrees": [1]},
        {"predicted": ["a"], "score": [0.5], "agrees": [1]},
        {"predicted": [0], "score": [0.5]},
    ],
)
def test_answers_that_cannot_be_are_refused(tmp_path, half):
    engines = {"onnxruntime": {"shaping": half, "certifying": half}}
    with pytest.raises(ValueError, match=r"certification|not of the same texts|invalid literal"):
        read_certification(written(tmp_path / CERTIFICATION, engines=engines))


@pytest.mark.parametrize(
    "changes", [{"format_version": 2}, {"labels": None}, {"temperature": None}, {"engines": []}]
)
def test_a_field_that_is_off_is_named(tmp_path, changes):
    with pytest.raises(ValueError, match=CERTIFICATION):
        read_certification(written(tmp_path / CERTIFICATION, **changes))
