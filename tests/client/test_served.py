"""What both clients say and read is what the real service understands and tells."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from llkd_client import Conflict, InvalidRequest, NotFound
from tests.client.conftest import NOBODY, Served
from tests.worker.corpus import LABELS, make_rows

pytestmark = pytest.mark.parametrize("kind", ["sync", "async"])


def texts(count: int = 40, *, first: int = 1000) -> list[str]:
    return [row["text"] for row in make_rows(count, first=first)]


class TestDatasets:
    def test_a_file_is_added_listed_read_and_deleted(self, kind, served: Served, tmp_path: Path):
        client = served.client(kind)
        file = tmp_path / "tickets.csv"
        lines = [f"{text},billing" for text in texts()]
        file.write_text("\n".join(["body,gold", *lines, ",billing", ""]), encoding="utf-8")
        sent: list[tuple[int, int]] = []
        made = client.datasets.add(
            file,
            name="csv",
            text_column="body",
            label_column="gold",
            on_bytes=lambda *at: sent.append(at),
        )
        assert (made.name, made.statistics.unique, made.statistics.set_aside) == ("csv", 40, 1)
        assert made.statistics.gold == {"billing": 40}
        assert sent[-1] == (file.stat().st_size,) * 2
        assert client.datasets.get(made.id) == made
        assert made.id in [each.id for each in client.datasets.list()]
        assert [row.text for row in client.datasets.rows(made.id, limit=3)] == texts()[:3]
        assert [issue.line for issue in client.datasets.issues(made.id)] == [42]
        client.datasets.delete(made.id)
        with pytest.raises(NotFound) as caught:
            client.datasets.get(made.id)
        assert caught.value.code == "gone"

    def test_texts_in_memory_keep_what_is_known_of_them(self, kind, served: Served):
        client = served.client(kind)
        rows: list[Any] = [*texts(39), {"text": "the fortieth", "label": "billing"}]
        made = client.datasets.add_texts(rows, name="memory")
        assert (made.statistics.unique, made.statistics.gold) == (40, {"billing": 1})

    def test_every_page_of_rows_is_read(self, kind, served: Served):
        client = served.client(kind)
        rows = list(client.datasets.rows(served.job.dataset_id))
        assert [row.index for row in rows] == list(range(240))

    def test_a_fault_is_told_with_its_place(self, kind, served: Served, tmp_path: Path):
        file = tmp_path / "broken.jsonl"
        file.write_text("\n".join([*(json.dumps({"text": each}) for each in texts()), "{"]))
        with pytest.raises(InvalidRequest) as caught:
            served.client(kind).datasets.add(file)
        assert caught.value.code == "malformed-row"
        assert "41" in caught.value.pointers[0]


class TestJobs:
    def test_a_job_is_found_told_of_and_compared(self, kind, served: Served):
        client = served.client(kind)
        assert client.jobs.get(served.job.id) == served.job
        assert served.job.id in [each.id for each in client.jobs.list(state="succeeded")]
        assert client.jobs.wait(served.job.id).require_success().progress.percent == 100
        happened = [event.type for event in client.jobs.events(served.job.id)]
        assert (happened[0], happened[-1]) == ("job.queued", "job.succeeded")
        report = client.jobs.report(served.job.id)
        assert 0 <= report.agreement <= 1
        assert report.student.evaluation.macro_f1.low <= report.student.evaluation.macro_f1.high

    def test_how_it_was_trained_is_told(self, kind, served: Served):
        client = served.client(kind)
        history = client.jobs.training(served.job.id, points=3)
        assert history.ended
        assert 1 <= len(history.points) <= 3
        shown = client.jobs.selection(served.job.id)
        assert shown.frame is not None
        assert client.jobs.selection(served.job.id, frame=shown.frames[0]["number"]).frame

    def test_a_job_that_has_ended_cannot_be_cancelled(self, kind, served: Served):
        with pytest.raises(Conflict) as caught:
            served.client(kind).jobs.cancel(served.job.id)
        assert caught.value.code == "job-not-cancellable"

    def test_the_same_key_makes_one_job(self, kind, served: Served, spec):
        client = served.client(kind)
        key = f"the-same-{kind}"
        request = {"dataset_id": served.job.dataset_id, "priority": -1, **spec}
        one = client.jobs.create(idempotency_key=key, **request)
        assert client.jobs.create(idempotency_key=key, **request).id == one.id
        assert client.jobs.cancel(one.id).id == one.id
        assert client.jobs.wait(one.id, timeout=120).ended
        told = client.jobs.compare([served.job.id, one.id])
        assert [each["job_id"] for each in told.data] == [served.job.id, one.id]

    def test_an_estimate_buys_nothing(self, kind, served: Served, spec):
        told = served.client(kind).jobs.estimate(dataset_id=served.job.dataset_id, **spec)
        assert told.rows == 240
        assert told.steps.high > 0

    def test_only_a_pilot_has_a_forecast(self, kind, served: Served):
        with pytest.raises(Conflict) as caught:
            served.client(kind).jobs.forecast(served.job.id)
        assert caught.value.code == "no-result"

    def test_labels_are_paged_and_exported(self, kind, served: Served, tmp_path: Path):
        client = served.client(kind)
        labels = list(client.jobs.labels(served.job.id))
        assert {label.label for label in labels} <= {*LABELS, None}
        file = client.jobs.export_labels(served.job.id, tmp_path / "labels.jsonl")
        assert len(file.read_text().splitlines()) == len(labels)
        table = client.jobs.export_labels(served.job.id, tmp_path / "labels.csv", format="csv")
        assert table.read_text().startswith("index,text,")

    def test_an_audit_counts_what_it_shows(self, kind, served: Served):
        told = served.client(kind).jobs.audit(served.job.id, limit=1)
        assert len(told.likely_wrong) <= 1
        assert told.totals["likely_wrong"] >= len(told.likely_wrong)

    def test_a_wrong_field_is_pointed_at(self, kind, served: Served, spec):
        with pytest.raises(InvalidRequest) as caught:
            served.client(kind).jobs.create(
                dataset_id=served.job.dataset_id, **{**spec, "labels": [{"name": "one"}]}
            )
        assert caught.value.pointers == ("/labels",)
        assert caught.value.request_id.startswith("req_")

    def test_what_is_not_there_is_not_found(self, kind, served: Served):
        with pytest.raises(NotFound):
            served.client(kind).jobs.get("job_" + "0" * 26)


class TestModels:
    def test_a_model_is_found_by_each_of_its_names(self, kind, served: Served):
        client = served.client(kind)
        alias = f"champion-{kind}"
        moved = client.models.set_alias("tickets", alias, served.model)
        assert (moved.alias, moved.model_id) == (alias, served.model)
        assert client.models.get(f"tickets@{alias}").id == served.model
        assert alias in [each.alias for each in client.models.aliases("tickets")]
        assert served.model in [each.id for each in client.models.list(name="tickets")]
        client.models.delete_alias("tickets", alias)
        assert alias not in [each.alias for each in client.models.aliases("tickets")]

    def test_an_export_is_a_whole_archive(self, kind, served: Served, tmp_path: Path):
        file = served.client(kind).models.export(served.model, tmp_path)
        assert file.suffix == ".tar"
        with tarfile.open(file) as archive:
            assert any(name.endswith(".onnx") for name in archive.getnames())

    def test_texts_are_kept_read_and_forgotten(self, kind, served: Served):
        client = served.client(kind)
        kept = client.models.keep_texts(served.model, below=1.0, max_rows=10)
        assert kept.max_rows == 10
        assert list(client.models.kept_texts(served.model, limit=5)) is not None
        client.models.stop_keeping(served.model)


class TestPredict:
    def test_one_text_and_several_are_answered_in_order(self, kind, served: Served):
        client = served.client(kind)
        told = client.predict("tickets", texts(3), top_k=2)
        assert [answer.index for answer in told.data] == [0, 1, 2]
        assert {answer.label for answer in told.data} <= set(LABELS)
        assert len(told.data[0].scores) == 2
        assert client.predict(told.model, texts(1)[0]).data[0].label == told.data[0].label

    def test_any_number_of_texts_is_answered_each(self, kind, served: Served):
        answers = list(served.client(kind).predict_each(served.model, iter(texts(600)), top_k=1))
        assert [answer.index for answer in answers] == list(range(600))

    def test_a_classification_has_all_probabilities(self, kind, served: Served):
        told = served.client(kind).classify(served.model, texts(2))
        assert [entry["num_classes"] for entry in told.data] == [3, 3]

    def test_a_dataset_is_answered_as_a_file(self, kind, served: Served, tmp_path: Path):
        client = served.client(kind)
        job = client.predictions.create(model=served.model, dataset_id=served.job.dataset_id)
        ended = client.predictions.wait(job.id, timeout=120, poll_seconds=0.5).require_success()
        assert ended.id in [each.id for each in client.predictions.list()]
        file = client.predictions.output(job.id, tmp_path / "answers.jsonl")
        assert len(file.read_text().splitlines()) == 240


class TestService:
    def test_it_says_how_it_is(self, kind, served: Served):
        client = served.client(kind)
        assert client.healthz().status == "ok"
        assert client.readyz().status == "ok"
        assert client.version().version


class TestTeachers:
    def test_a_teacher_is_stored_changed_asked_and_deleted(self, kind, served: Served):
        client = served.client(kind)
        made = client.teachers.create(
            name=f"local {kind}",
            base_url=NOBODY,
            model="none",
            key="sk-secret-12345678",
        )
        assert (made.has_key, made.key_last4) == (True, "5678")
        assert client.teachers.update(made.id, name=f"nobody {kind}").name == f"nobody {kind}"
        assert made.id in [each.id for each in client.teachers.list()]
        test = client.teachers.test(made.id)
        assert not test.ok
        assert test.failure["code"] == "teacher-unreachable"
        client.teachers.delete(made.id)
        with pytest.raises(NotFound):
            client.teachers.get(made.id)


class TestDistill:
    def test_texts_become_a_model_that_answers(self, kind, served: Served, spec):
        client = served.client(kind)
        rows = make_rows(gold=0)
        model = client.distill(
            [row["text"] for row in rows],
            spec["labels"],
            teacher=spec["teacher"],
            gold=[(row["text"], LABELS[0]) for row in make_rows(80, first=5000)],
            name=f"distilled-{kind}",
            student=spec["student"],
            training=spec["training"],
            selection="llkd",
        )
        assert model.job.succeeded
        assert model.predict(rows[0]["text"]).label in LABELS
        assert len(model.predict([row["text"] for row in rows[:5]])) == 5
        assert model.report().gold_rows == 80
        assert client.attach(model.job.id).id == model.id
