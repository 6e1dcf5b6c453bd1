"""GET /models tells what computes a model, and what was measured."""

from dataclasses import replace

import pytest
from fastapi.testclient import TestClient

from core.db.base import EPOCH
from core.db.session import Database
from llkd.engine_gate import EngineFigures
from llkd.engines.base import EngineName
from llkd.engines.machine import this_machine
from llkd.measure_engines import Measured
from tests.app.models.parts import register


class TestServing:
    """What computes a model's predictions, and what was measured."""

    def test_of_an_earlier_model_the_reference_and_no_figures(
        self, client: TestClient, database: Database
    ) -> None:
        model = client.get(f"/models/{register(database)}").json()
        assert model["serving"] == {
            "engine": "onnxruntime",
            "reason": "not measured on a machine like this one",
            "not_quantized": None,
            "machines": [],
        }

    @pytest.mark.parametrize("database", ["sqlite"], indirect=True)
    def test_figures_are_told_and_where_the_texts_lie_is_not(
        self, client: TestClient, database: Database
    ) -> None:
        figures = EngineFigures(EngineName.ONNXRUNTIME, "reference", agreement=1.0, p50_ms=4.5)
        here = Measured(this_machine(), EPOCH, 500, EngineName.ONNXRUNTIME, None, (figures,))
        elsewhere = replace(here, machine=replace(this_machine(), processor="Another"))
        engines = {
            "validation": "a" * 64,
            "not_quantized": "no nncf",
            "machines": [elsewhere.to_json(), here.to_json()],
        }
        model = client.get(f"/models/{register(database, engines=engines)}").json()
        assert "engines" not in model["export"]
        assert "a" * 64 not in str(model)
        serving = model["serving"]
        assert (serving["engine"], serving["reason"]) == (
            "onnxruntime",
            "fastest that passed on 500 texts",
        )
        assert serving["not_quantized"] == "no nncf"
        assert [each["machine"]["processor"] for each in serving["machines"]] == [
            "Another",
            this_machine().processor,
        ]
        (told,) = serving["machines"][1]["engines"]
        assert (told["state"], told["agreement"], told["p50_ms"]) == ("reference", 1.0, 4.5)
