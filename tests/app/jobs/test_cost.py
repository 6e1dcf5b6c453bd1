"""What a report says that a million texts cost."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from core.artifacts import ArtifactStore
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import JobId
from core.lifecycle import Stage
from tests.app.jobs.parts import (
    LABELS,
    TRAIN_OUTPUT,
    Json,
    add_job,
    evaluate_output,
    finish_stages,
    label_output,
)
from tests.factories import TENANT

PRICES = {"input_usd_per_million": "0.15", "output_usd_per_million": "0.6"}
PRICED: Json = {"kind": "openai", "model": "m", "prices": PRICES}
UNPRICED: Json = {"kind": "openai", "model": "m", "prices": None}
LOCAL: Json = {"kind": "few_shot", "model": "minilm"}


@pytest.fixture
def cost(client: TestClient, database: Database, artifacts: ArtifactStore) -> Any:
    """Makes the `cost` of a finished job."""

    def make(
        *,
        teacher: Json = PRICED,
        asked: int = 40,
        cached: int = 0,
        micros: int = 2000,
        train: Json = TRAIN_OUTPUT,
        export: Json | None = None,
        from_job: JobId | None = None,
    ) -> Json:
        spec = _spec(teacher)
        job_id = add_job(database, spec=spec, from_job_id=from_job)
        labelled = label_output(artifacts, [])
        labelled["counts"] |= {"asked": asked, "cached": cached}
        outputs = {
            Stage.LABEL: labelled,
            Stage.TRAIN: train,
            Stage.EVALUATE: evaluate_output(with_gold=False),
        }
        finish_stages(database, job_id, outputs)
        with database.write() as session:
            session.execute(update(JobRow).where(JobRow.id == job_id).values(spent_micros=micros))
            if export is not None:
                _register(ModelRepository(session), job_id, export)
        told: Json = client.get(f"/jobs/{job_id}/report").json()["cost"]
        return told | {"job_id": job_id}

    return make


class TestTeacher:
    def test_money_and_time_are_by_the_answers_that_the_job_got_itself(self, cost: Any) -> None:
        told = cost(asked=50, cached=10)
        # 2000 millionths of a dollar and 1.5 seconds for 40 answers.
        assert told["texts"] == 1_000_000
        assert told["teacher"] == {"answers": 40, "usd": 50.0, "seconds": 37_500.0}

    @pytest.mark.parametrize(
        ("teacher", "usd"),
        [
            (PRICED, 50.0),
            (UNPRICED, None),
            (LOCAL, None),
            ({"kind": "ensemble", "teachers": [LOCAL, PRICED]}, 50.0),
            ({"kind": "ensemble", "teachers": [UNPRICED, PRICED]}, None),
            ({"kind": "ensemble", "teachers": [LOCAL]}, None),
        ],
    )
    def test_no_price_is_made_up(self, cost: Any, teacher: Json, usd: float | None) -> None:
        assert cost(teacher=teacher)["teacher"]["usd"] == usd

    def test_where_most_answers_were_stored_the_time_is_not_theirs(self, cost: Any) -> None:
        told = cost(asked=40, cached=30)["teacher"]
        assert (told["answers"], told["usd"], told["seconds"]) == (10, 200.0, None)

    def test_where_all_were_nothing_is_known(self, cost: Any) -> None:
        told = cost(asked=40, cached=40)["teacher"]
        assert told == {"answers": 0, "usd": None, "seconds": None}

    def test_reading_a_file_is_not_a_teachers_time(self, cost: Any) -> None:
        assert cost(teacher={"kind": "provided"})["teacher"]["seconds"] is None

    def test_a_replay_tells_of_the_job_that_asked(self, cost: Any) -> None:
        first = cost()
        second = cost(cached=40, micros=0, from_job=first["job_id"])
        third = cost(cached=40, micros=0, from_job=second["job_id"])
        assert third["teacher"] == first["teacher"]


class TestStudent:
    def test_it_is_what_the_engine_that_serves_it_took(self, cost: Any) -> None:
        told = cost(export=_export(chosen="openvino_bf16"))["student"]
        assert told == {
            "core_seconds": 2000.0,
            "basis": "engine",
            "engine": "openvino_bf16",
            "processor": "AMD EPYC",
        }

    def test_a_gpus_time_is_no_cores_time(self, cost: Any) -> None:
        told = cost(export=_export(chosen="onnxruntime_cuda"))["student"]
        assert (told["engine"], told["core_seconds"]) == ("openvino_bf16", 2000.0)

    def test_without_engines_it_is_one_text_a_call(self, cost: Any) -> None:
        serving = {"p50_ms": 2.5, "p95_ms": 4.0, "size_bytes": 9}
        told = cost(train=TRAIN_OUTPUT | {"serving": serving})["student"]
        assert (told["core_seconds"], told["basis"]) == (2500.0, "one_text_a_call")

    def test_what_was_not_measured_is_null(self, cost: Any) -> None:
        told = cost()["student"]
        assert set(told.values()) == {None}


def _spec(teacher: Json) -> Json:
    return {
        "labels": [{"name": name} for name in LABELS],
        "teacher": teacher,
        "student": {"model": "minilm"},
        "selection": {"kind": "llkd"},
    }


def _export(*, chosen: str) -> Json:
    speeds = {"onnxruntime": 100.0, "openvino_bf16": 500.0, "onnxruntime_cuda": 9000.0}
    engines: list[Json] = [
        {"engine": name, "state": "passed", "texts_per_cpu_second": speed}
        for name, speed in speeds.items()
    ]
    slow: Json = {"engine": "openvino_int8", "state": "failed", "texts_per_cpu_second": 9999.0}
    absent: Json = {"engine": "openvino_int8", "state": "absent", "texts_per_cpu_second": None}
    machine: Json = {"machine": {"processor": "AMD EPYC"}, "chosen": chosen}
    machine |= {"engines": [*engines, slow, absent]}
    return {"engines": {"machines": [{"machine": {}, "engines": []}, machine]}}


def _register(models: ModelRepository, job_id: JobId, export: Json) -> None:
    details: Json = {"parity": {"rows": 64, "max_difference": 0.0, "argmax_agreement": 1.0}}
    models.register(
        TENANT,
        NewModel(
            name="tickets",
            job_id=job_id,
            artifact="6" * 64,
            labels=list(LABELS),
            base_model="minilm",
            metrics={},
            export=details | {"files": {}} | export,
            size_bytes=10,
        ),
    )
