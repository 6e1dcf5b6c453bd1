"""Series of a model: there while it is in memory, and no longer."""

import numpy as np
import pytest
from prometheus_client import REGISTRY

from app.predict.metrics import ModelMeter
from app.predict.names import ModelRef
from core.ids import new_model_id
from llkd.drift import Reference
from tests.app.predict.test_registry import BALLAST, World, world

__all__ = ["world"]


def read(name: str, model: ModelRef, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, {"model": model.id} | labels)


@pytest.fixture
def model() -> ModelRef:
    return ModelRef(new_model_id(), "0" * 64)


class TestModelMeter:
    def test_batches_and_answers_are_counted(self, model: ModelRef) -> None:
        meter = ModelMeter(model)
        meter.count_wait(0.02)
        meter.count_batch(lengths=[10, 8, 7], seconds=0.5)
        probabilities = np.array([[0.9, 0.1], [0.4, 0.6]])
        meter.count_answers(probabilities, unsure=1, truncated=1)
        told = {
            "llkd_predict_windows_total": 3,
            "llkd_predict_tokens_total": 25,
            "llkd_predict_padding_tokens_total": 5,
            "llkd_predict_engine_seconds_total": 0.5,
            "llkd_predict_batch_windows_sum": 3,
            "llkd_predict_wait_seconds_sum": 0.02,
            "llkd_predicted_texts_total": 2,
            "llkd_predict_abstained_total": 1,
            "llkd_predict_truncated_total": 1,
        }
        assert {name: read(name, model) for name in told} == told
        meter.close()

    def test_drift_is_told_where_there_is_something_to_compare_with(self, model: ModelRef) -> None:
        meter = ModelMeter(model)
        assert read("llkd_predict_label_drift", model) is None
        meter.watch_drift(Reference.of(np.array([0.9, 0.9]), np.array([0, 1]), class_count=2))
        meter.count_answers(np.tile([0.9, 0.1], (1000, 1)), unsure=0, truncated=0)
        drift = read("llkd_predict_label_drift", model)
        assert drift is not None
        assert drift > 0.25
        assert read("llkd_predict_score_drift", model) == pytest.approx(0)
        meter.close()
        assert read("llkd_predict_label_drift", model) is None


class TestCardinality:
    def test_a_model_that_leaves_takes_its_series_along(self, world: World) -> None:
        first, *others = (world.model(ballast=BALLAST) for _ in range(3))
        evicted = REGISTRY.get_sample_value("llkd_model_evictions_total")
        world.get(first)
        assert read("llkd_predicted_texts_total", first) == 0
        for model in others:
            world.get(model)
        assert read("llkd_predicted_texts_total", first) is None
        assert read("llkd_predicted_texts_total", others[1]) == 0
        assert evicted is not None
        assert REGISTRY.get_sample_value("llkd_model_evictions_total") == evicted + 1
        assert REGISTRY.get_sample_value("llkd_model_bytes") == world.registry.used_bytes
