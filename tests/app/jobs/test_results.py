"""GET /jobs/{id}/labels and /report."""

import csv
import io
import json
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient

from app.jobs.safe_csv import escape_formulas
from core.artifacts import ArtifactStore
from core.db.base import db_now
from core.db.repositories.models import ModelRepository, NewModel
from core.db.session import Database
from core.ids import JobId
from core.label_files import UNASKED, LabelEntry, Role
from core.lifecycle import JobState, Purpose, Stage
from llkd.specs import EncoderSpec, StaticSpec
from tests.app.jobs.parts import (
    TRAIN_OUTPUT,
    Json,
    add_job,
    answered,
    calibration_output,
    cascade_output,
    evaluate_output,
    finish_stages,
    label_output,
    store_dataset,
)
from tests.factories import TENANT

EXPORT: Json = {
    "parity": {"rows": 64, "max_difference": 1e-6, "argmax_agreement": 1.0},
    "files": {"model.onnx": 10},
}
FORMULA = '=HYPERLINK("http://x","y")'
TEXTS = [FORMULA, 'a,"b"\nc', "plain é"] + [f"text {place}" for place in range(4200)]
ENTRIES = [
    replace(answered("billing", 0.9), calibration_id="3f9a1c07be52"),
    answered("tech", 0.7),
    LabelEntry(Role.EXCLUDED, UNASKED),
] + [answered("tech", 0.6) for _ in range(4200)]


@pytest.fixture
def labelled(database: Database, artifacts: ArtifactStore) -> JobId:
    """A job whose label stage is done, over more than one row group."""
    dataset = store_dataset(database, artifacts, texts=TEXTS)
    job_id = add_job(database, dataset_id=dataset)
    finish_stages(database, job_id, {Stage.LABEL: label_output(artifacts, ENTRIES)}, ended=False)
    return job_id


class TestLabels:
    def test_a_page_shows_texts_beside_their_labels(
        self, client: TestClient, labelled: JobId
    ) -> None:
        page = client.get(f"/jobs/{labelled}/labels", params={"limit": 3}).json()
        assert [entry["text"] for entry in page["data"]] == TEXTS[:3]
        assert [entry["label"] for entry in page["data"]] == ["billing", "tech", None]
        first, _, unasked = page["data"]
        assert first["probabilities"] == pytest.approx({"billing": 0.9, "tech": 0.1})
        assert (unasked["status"], unasked["confidence"]) == ("unasked", None)
        assert [entry["calibration_id"] for entry in page["data"]] == ["3f9a1c07be52", None, None]
        assert page["has_more"]

    def test_pages_cross_row_groups_and_end(self, client: TestClient, labelled: JobId) -> None:
        page = client.get(f"/jobs/{labelled}/labels", params={"after": "4090"}).json()
        assert [entry["index"] for entry in page["data"]] == list(range(4091, 4191))
        last = client.get(f"/jobs/{labelled}/labels", params={"after": "4199"}).json()
        assert [entry["text"] for entry in last["data"]] == TEXTS[4200:]
        assert not last["has_more"]
        beyond = client.get(f"/jobs/{labelled}/labels", params={"after": "5000"}).json()
        assert (beyond["data"], beyond["has_more"], beyond["last_id"]) == ([], False, None)

    def test_they_are_not_there_before_the_label_stage_is_done(
        self, client: TestClient, database: Database
    ) -> None:
        answer = client.get(f"/jobs/{add_job(database)}/labels")
        assert (answer.status_code, answer.json()["code"]) == (409, "labels-not-ready")

    def test_they_go_with_their_dataset(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        dataset = store_dataset(database, artifacts, deleted_at=db_now())
        job_id = add_job(database, dataset_id=dataset)
        finish_stages(database, job_id, {Stage.LABEL: label_output(artifacts, [])})
        answer = client.get(f"/jobs/{job_id}/labels")
        assert (answer.status_code, answer.json()["code"]) == (410, "gone")

    @pytest.mark.parametrize("cursor", ["x", "-1", "9" * 30, "٣"])
    def test_a_forged_cursor_is_refused(
        self, client: TestClient, labelled: JobId, cursor: str
    ) -> None:
        answer = client.get(f"/jobs/{labelled}/labels", params={"after": cursor})
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-cursor")


class TestExport:
    def test_json_lines_are_exact(self, client: TestClient, labelled: JobId) -> None:
        answer = client.get(f"/jobs/{labelled}/labels", params={"format": "jsonl"})
        rows = [json.loads(line) for line in answer.text.splitlines()]
        assert [row["text"] for row in rows] == TEXTS
        assert (rows[0]["confidence"], rows[0]["calibration_id"]) == (0.9, "3f9a1c07be52")
        assert answer.headers["content-type"] == "application/jsonl"
        expected = f'attachment; filename="{labelled}-labels.jsonl"'
        assert answer.headers["content-disposition"] == expected

    def test_csv_defuses_formulas_unless_told_not_to(
        self, client: TestClient, labelled: JobId
    ) -> None:
        safe = _csv(client.get(f"/jobs/{labelled}/labels", params={"format": "csv"}).text)
        exact = _csv(
            client.get(
                f"/jobs/{labelled}/labels", params={"format": "csv", "safe_csv": "false"}
            ).text
        )
        assert [row["text"] for row in safe] == ["'" + FORMULA, *TEXTS[1:]]
        assert [row["text"] for row in exact] == TEXTS
        assert [row["label"] for row in safe[:3]] == ["billing", "tech", ""]
        assert [row["calibration_id"] for row in safe[:2]] == ["3f9a1c07be52", ""]

    def test_parquet_is_exact_and_typed(self, client: TestClient, labelled: JobId) -> None:
        answer = client.get(f"/jobs/{labelled}/labels", params={"format": "parquet"})
        table = pq.read_table(io.BytesIO(answer.content))
        assert table["text"].to_pylist() == TEXTS
        assert table["confidence"].to_pylist()[:3] == [0.9, 0.7, None]
        assert table["calibration_id"].to_pylist()[:2] == ["3f9a1c07be52", None]
        assert dict(table["probabilities"].to_pylist()[1]) == pytest.approx(
            {"billing": 0.3, "tech": 0.7}
        )

    def test_other_formats_are_refused(self, client: TestClient, labelled: JobId) -> None:
        answer = client.get(f"/jobs/{labelled}/labels", params={"format": "xlsx"})
        assert (answer.status_code, answer.json()["code"]) == (422, "validation-error")


class TestEscapeFormulas:
    @pytest.mark.parametrize(
        ("cell", "safe"),
        [
            ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
            (" =1+1", "' =1+1"),
            ("\u00a0=1", "'\u00a0=1"),
            ("\u200b=1", "'\u200b=1"),
            ("first\n=1", "first\n'=1"),
            ("first\r\n  @x", "first\r\n'  @x"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("\uff1d1", "'\uff1d1"),
            ("\tx", "'\tx"),
            ("a=b", "a=b"),
            ("plain", "plain"),
            ("", ""),
        ],
    )
    def test_each_line_that_could_calculate_gets_an_apostrophe(self, cell: str, safe: str) -> None:
        assert escape_formulas(cell) == safe


class TestReport:
    def test_it_puts_together_what_the_stages_left(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        job_id = _evaluated(database, artifacts, with_gold=True)
        with database.write() as session:
            model = ModelRepository(session).register(
                TENANT,
                NewModel(
                    name="tickets",
                    job_id=job_id,
                    artifact="6" * 64,
                    labels=["billing", "tech"],
                    base_model="minilm",
                    metrics={},
                    export=EXPORT,
                    size_bytes=10,
                ),
            )
        report = client.get(f"/jobs/{job_id}/report").json()
        assert (report["object"], report["job_id"]) == ("report", job_id)
        assert report["teacher"]["kind"] == "few_shot"
        assert report["teacher"]["answers"]["asked"] == 40
        assert report["teacher"]["evaluation"]["macro_f1"]["value"] == 0.8
        assert report["student"]["evaluation"]["agreement_with_teacher"] == 0.9
        assert report["student"]["held_out_agreement"] == {"value": 0.95, "rows": 20}
        assert report["training"] == {
            "pool": 36,
            "unique_samples": 18,
            "gradient_samples": 28,
            "steps": 4,
            "forwards": 100,
            "epochs": 2.5,
            "stop_reason": "completed",
            "ended": "finished",
            "held_out_score": 0.75,
            "averaged": True,
            "curve": [
                {"step": 2, "held_out_score": 0.5},
                {"step": 4, "held_out_score": 0.75},
            ],
            "seconds": 20.25,
        }
        assert report["selection"] == {
            "kind": "llkd",
            "seen": 90,
            "kept": 30,
            "kept_fraction": 0.3333,
            "unique_fraction": 0.5,
        }
        assert report["export"]["model_id"] == model.id
        assert report["export"]["details"] == EXPORT | {"certification": None}

    def test_teacher_and_student_are_told_by_label_with_confusion_and_reliability(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        job_id = _evaluated(database, artifacts, with_gold=True)
        report = client.get(f"/jobs/{job_id}/report").json()
        for who in ("teacher", "student"):
            told = report[who]["evaluation"]
            assert [each["label"] for each in told["per_class"]] == ["billing", "tech"]
            assert told["confusion"] == [[4, 1], [1, 4]]
            assert len(told["calibration"]["bins"]) == 15
            assert told["calibration"]["bins"][-1]["accuracy"] == 0.8
        assert "agreement_with_teacher" not in report["teacher"]["evaluation"]

    def test_scores_stand_beside_what_the_student_had_learned_from(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        """Of a training that an earlier release began, the looks that were kept."""
        train = TRAIN_OUTPUT | {"looks": [[2, 0.5], [4, 0.75], [6, 0.8]]}
        point = {"step": 6, "gradient_samples": 48, "unique_samples": 30, "held_out_score": 0.8}
        kept = _report_of(client, database, artifacts, train=train | {"efforts": [[48, 30]]})
        assert kept["data_efficiency"] == [point]
        whole = train | {"efforts": [[16, 15], [32, 25], [48, 30]]}
        told = _report_of(client, database, artifacts, train=whole)["data_efficiency"]
        assert [each["gradient_samples"] for each in told] == [16, 32, 48]
        assert told[-1] == point
        assert len(told) == 3

    def test_jobs_of_earlier_releases_are_told_without_what_they_did_not_keep(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        report = _report_of(client, database, artifacts, train=TRAIN_OUTPUT)
        assert (report["data_efficiency"], report["disagreements"]) == (None, None)
        assert report["cost"]["student"]["core_seconds"] is None

    def test_students_stand_side_by_side(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        common: Json = {"held_out_score": 0.9, "holds_target": True, "pareto": True, "seconds": 4.0}
        common |= {"steps": 4, "gradient_samples": 28, "unique_samples": 18, "ended": "finished"}
        serving = {"p50_ms": 0.1, "p95_ms": 0.2, "size_bytes": 30}
        trained = [
            common
            | {
                "student": digit * 64,
                "candidate": {
                    "student": student.model_dump(mode="json"),
                    "selection": {"kind": "llkd", "labeling": "eager", "momentum": None},
                },
                "chosen": student.kind == "static",
                "serving": serving,
            }
            for digit, student in (("1", StaticSpec()), ("2", EncoderSpec()))
        ]
        job_id = add_job(database)
        evaluated = evaluate_output(with_gold=True)
        interval = {"value": 0.8, "low": 0.7, "high": 0.9}
        evaluated["report"]["candidates"] = [interval, None]
        outputs = {
            Stage.LABEL: label_output(artifacts, []),
            Stage.TRAIN: TRAIN_OUTPUT | {"candidates": trained},
            Stage.EVALUATE: evaluated,
        }
        finish_stages(database, job_id, outputs)
        told = client.get(f"/jobs/{job_id}/report").json()["candidates"]
        assert [each["student"]["kind"] for each in told] == ["static", "encoder"]
        assert told[0]["student"] == StaticSpec().model_dump(mode="json") | {"trainable": None}
        llkd = {"kind": "llkd", "labeling": "eager", "momentum": None, "share": None}
        assert told[1]["selection"] == llkd
        assert [each["macro_f1"] for each in told] == [interval, None]
        assert told[0]["serving"] == serving
        assert (told[0]["chosen"], told[1]["chosen"]) == (True, False)

    def test_a_calibration_is_told_in_full(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        told = calibration_output()
        job_id = _evaluated(database, artifacts, with_gold=True, calibration=told)
        assert client.get(f"/jobs/{job_id}/report").json()["teacher"]["calibration"] == told

    def test_jobs_of_earlier_releases_were_not_calibrated(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        job_id = _evaluated(database, artifacts, with_gold=True)
        teacher = client.get(f"/jobs/{job_id}/report").json()["teacher"]
        assert teacher["calibration"] is None
        assert (teacher["confidence"]["unknown"], teacher["confidence"]["tied"]) == (None, None)
        assert teacher["confidence"]["unknown_as"] is None

    @pytest.mark.parametrize(
        ("passport", "unknown_as"),
        [
            ({"used": "given", "known": 39, "unknown": 0}, None),
            ({"used": "given", "known": 30, "unknown": 9}, "certain"),
            ({"used": "given", "known": 0, "unknown": 39}, "all"),
            ({"used": "estimated", "known": 0, "unknown": 39}, "estimated"),
            ({"used": "both", "known": 30, "unknown": 9}, "estimated"),
            ({"used": "none", "known": 39, "unknown": 0}, "all"),
        ],
    )
    def test_it_says_what_was_done_about_unknown_confidences(
        self,
        client: TestClient,
        database: Database,
        artifacts: ArtifactStore,
        passport: Json,
        unknown_as: str | None,
    ) -> None:
        known: Json = {"distinct": 7, "tied": 0.5, "skill": None, "agreement": None}
        job_id = _evaluated(database, artifacts, with_gold=False, confidence=known | passport)
        told = client.get(f"/jobs/{job_id}/report").json()["teacher"]["confidence"]
        assert told["unknown_as"] == unknown_as
        assert (told["unknown"], told["tied"]) == (passport["unknown"], 0.5)

    def test_without_gold_nothing_is_claimed(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        report = client.get(
            f"/jobs/{_evaluated(database, artifacts, with_gold=False)}/report"
        ).json()
        assert report["teacher"]["evaluation"] is None
        assert report["student"]["evaluation"] is None
        assert report["export"] is None

    def test_what_the_student_could_answer_is_told_as_it_was_certified(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        told = cascade_output()
        report = _exported(client, database, artifacts, cascade=told, no_cascade=None)
        assert (report["cascade"], report["no_cascade"]) == (told, None)

    def test_where_nothing_certifies_it_it_says_why(
        self, client: TestClient, database: Database, artifacts: ArtifactStore
    ) -> None:
        report = _exported(client, database, artifacts, cascade=None, no_cascade="no_texts")
        assert (report["cascade"], report["no_cascade"]) == (None, "no_texts")
        # Of a release that knew no cascade.
        assert _exported(client, database, artifacts)["no_cascade"] == "not_made"
        job_id = _evaluated(database, artifacts, with_gold=False)
        assert client.get(f"/jobs/{job_id}/report").json()["no_cascade"] == "not_exported"

    def test_it_is_not_there_before_the_evaluate_stage_is_done(
        self, client: TestClient, labelled: JobId
    ) -> None:
        answer = client.get(f"/jobs/{labelled}/report")
        assert (answer.status_code, answer.json()["code"]) == (409, "report-not-ready")


class TestWhatNeverComes:
    @pytest.mark.parametrize("purpose", [Purpose.PREDICT, Purpose.REPORT_CARD])
    @pytest.mark.parametrize("result", ["labels", "report", "audit", "disagreements"])
    def test_a_job_of_another_kind_is_not_to_be_polled(
        self, client: TestClient, database: Database, purpose: Purpose, result: str
    ) -> None:
        job_id = add_job(database, state=JobState.SUCCEEDED, purpose=purpose.value)
        answer = client.get(f"/jobs/{job_id}/{result}")
        assert (answer.status_code, answer.json()["code"]) == (409, "no-result")
        told = answer.json()["detail"]
        assert "it never makes" in told
        assert told.endswith(f"{result}.")

    @pytest.mark.parametrize("state", [JobState.CANCELLED, JobState.FAILED])
    @pytest.mark.parametrize("result", ["labels", "report", "audit", "disagreements"])
    def test_nor_is_one_that_ended_before(
        self, client: TestClient, database: Database, state: JobState, result: str
    ) -> None:
        job_id = add_job(database, state=state)
        answer = client.get(f"/jobs/{job_id}/{result}")
        assert (answer.status_code, answer.json()["code"]) == (409, "no-result")
        assert state.value in answer.json()["detail"]


def _evaluated(
    database: Database, artifacts: ArtifactStore, *, with_gold: bool, **labelling: Json
) -> JobId:
    """A job with all its stages done, and what the test says the label stage left besides."""
    job_id = add_job(database)
    outputs = {
        Stage.LABEL: label_output(artifacts, []) | labelling,
        Stage.TRAIN: TRAIN_OUTPUT,
        Stage.EVALUATE: evaluate_output(with_gold=with_gold),
    }
    finish_stages(database, job_id, outputs)
    return job_id


def _report_of(
    client: TestClient, database: Database, artifacts: ArtifactStore, *, train: Json
) -> Json:
    """The report of a job whose train stage left this."""
    job_id = add_job(database)
    outputs = {
        Stage.LABEL: label_output(artifacts, []),
        Stage.TRAIN: train,
        Stage.EVALUATE: evaluate_output(with_gold=False),
    }
    finish_stages(database, job_id, outputs)
    report: Json = client.get(f"/jobs/{job_id}/report").json()
    return report


def _exported(
    client: TestClient, database: Database, artifacts: ArtifactStore, **export: Any
) -> Json:
    """The report of a job with all its stages done."""
    job_id = add_job(database)
    outputs = {
        Stage.LABEL: label_output(artifacts, []),
        Stage.TRAIN: TRAIN_OUTPUT,
        Stage.EVALUATE: evaluate_output(with_gold=False),
        Stage.EXPORT: {"model_id": "model_1", "version": 1, "artifact": "6" * 64} | export,
    }
    finish_stages(database, job_id, outputs)
    report: Json = client.get(f"/jobs/{job_id}/report").json()
    return report


def _csv(content: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content, newline="")))
