"""What a student takes to serve is measured on what would be served."""

from pathlib import Path

import pytest

from llkd import serving_cost
from llkd.predictor import Predictor
from llkd.serving_cost import measure_serving
from llkd.specs import StaticSpec
from tests.llkd.conftest import MakeStudent
from tests.llkd.export.conftest import TEXTS, Trained


def test_sizes_are_those_of_the_files_a_server_loads(trained: Trained, tmp_path: Path) -> None:
    files = trained.export(tmp_path).files
    loaded = Predictor.load(files)
    cost = measure_serving(trained.folder, TEXTS, seed=0)
    # Names of labels and base model alone are left out.
    assert cost.size_bytes == pytest.approx(loaded.size_bytes, rel=1e-3)
    assert 0 < cost.p50_ms <= cost.p95_ms


def test_other_work_on_the_machine_does_not_count(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each text takes its least time: here one turn of three is slow."""
    turns = iter(range(10_000))
    monkeypatch.setattr(
        serving_cost, "_seconds", lambda predictor, text: 1.0 if next(turns) % 3 else 0.002
    )
    cost = measure_serving(trained.folder, TEXTS, seed=0)
    assert (cost.p50_ms, cost.p95_ms) == (2.0, 2.0)


@pytest.mark.parametrize("make_student", [StaticSpec], indirect=True)
def test_a_static_student_is_measured_alike(make_student: MakeStudent, tmp_path: Path) -> None:
    make_student().save_model(tmp_path)
    assert measure_serving(tmp_path, TEXTS, seed=0).p95_ms > 0
