"""A prediction job: every text once, in order, the same bytes however it was interrupted."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from app.predict.answered import Answered
from app.predict.names import ModelRef
from app.predict.reading import Reading
from app.predict.rendering import render
from app.predict.schemas import PredictBody
from core.artifacts import ArtifactStore
from core.db.repositories.references import PARTS
from core.db.repositories.stages import StageRepository
from core.db.session import Database
from core.db.tables import ModelRow
from core.ids import ModelId
from core.lifecycle import LIVES, Purpose, Stage
from llkd.engine_choice import EngineChoice
from llkd.engines.base import EngineName
from llkd.engines.machine import this_machine
from llkd.predictor import Predictor
from llkd.types import Classified
from tests.app.predict.tiny_model import LABELS, register_model, write_tiny_model
from tests.factories import make_job
from tests.worker.corpus import add_dataset
from tests.worker.workshop import Workshop
from worker.crew import TEXTS_A_TURN, Crew, turns_of
from worker.faults import InjectedFault
from worker.garbage import GarbageCollector
from worker.job import OpenJob
from worker.pipeline import _run_stage
from worker.prediction_parts import PredictionParts
from worker.protocol import Advanced, CheckpointSaved, Json
from worker.stages import predict as stage
from worker.stages.predict import ModelGone, ModelUnavailable, predict
from worker.stop_request import Released

WORDS = ("invoice", "crash", "parcel", "unheard")
# Small, so that a test's texts make several parts, each of two turns.
PART = 100
ROWS = 3 * PART + 30


def texts_of(count: int = ROWS) -> list[str]:
    """Different lengths, some longer than the model reads, some blank, some without a clue."""
    return [
        " " * (place // 50 + 1)
        if place % 50 == 7
        else " ".join([WORDS[place % 4], *["word"] * (place % 11), str(place)])
        for place in range(count)
    ]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "PART_ROWS", PART)


@pytest.fixture
def workshop(database: Database, tmp_path: Path) -> Workshop:
    return Workshop(database, tmp_path / "var", tmp_path / "models")


@pytest.fixture
def store(workshop: Workshop) -> ArtifactStore:
    return ArtifactStore(workshop.data_dir / "artifacts")


@pytest.fixture
def model_id(workshop: Workshop, store: ArtifactStore, tmp_path: Path) -> ModelId:
    write_tiny_model(tmp_path / "tiny")
    return register_model(workshop.database, store, tmp_path / "tiny")


@pytest.fixture
def claimed(workshop: Workshop, model_id: ModelId) -> Callable[..., OpenJob]:
    """Queues a prediction and claims it."""

    def claim(*, texts: list[str] | None = None, fault: str = "", **given: Any) -> OpenJob:
        texts = texts_of() if texts is None else texts
        answers = {"top_k": None, "threshold": None, "on_low_confidence": "return"}
        own = {name: given.pop(name) for name in answers if name in given}
        rows = [{"text": text, "copies": 1, "line": n} for n, text in enumerate(texts, start=1)]
        dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
        with workshop.database.write() as session:
            make_job(
                session,
                dataset_id=dataset_id,
                purpose=Purpose.PREDICT.value,
                spec={
                    **answers,
                    **own,
                    "reference": "tickets",
                    "model_id": model_id,
                    "rows": len(texts),
                },
            )
        return again(workshop, fault=fault, **given)

    return claim


def again(workshop: Workshop, *, fault: str = "", **given: Any) -> OpenJob:
    return workshop.claim_any(environment={"TESTING": "1", "FAULT": fault}, **given)


def entries_of(job: OpenJob, output: Json) -> list[Json]:
    found: list[Json] = pq.read_table(job.artifacts.path(output["predictions"])).to_pylist()
    return found


def published(workshop: Workshop) -> list[Json]:
    return [each.pointer for each in workshop.told if isinstance(each, CheckpointSaved)]


def test_its_life_is_one_stage(claimed: Callable[..., OpenJob]) -> None:
    assert claimed().life == LIVES[Purpose.PREDICT] == (Stage.PREDICT,)


def test_its_process_imports_no_training_library() -> None:
    code = (
        "import sys, worker.pipeline, worker.stages.predict;"
        "print([m for m in ('torch', 'transformers', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


class TestTheAnswers:
    def test_are_those_of_predict(
        self, claimed: Callable[..., OpenJob], model_id: ModelId, tmp_path: Path
    ) -> None:
        """Against what `POST /predict` renders for the same texts in one request."""
        job = claimed(top_k=2, threshold=0.9, on_low_confidence="abstain")
        entries = entries_of(job, predict(job, {}))
        body = PredictBody(input=texts_of(), top_k=2, threshold=0.9, on_low_confidence="abstain")
        classified = Predictor.load(write_tiny_model(tmp_path / "tiny")).classify(body.input)
        reading = Reading([1] * ROWS, classified.truncated.tolist(), classified.tokens)
        unsure = classified.probabilities.max(axis=1) < 0.9
        answered = Answered(
            ModelRef(model_id, ""), LABELS, classified.probabilities, unsure, reading
        )
        shown = orjson.loads(render(answered, body, {}))
        assert len(entries) == len(shown["data"]) == ROWS
        for entry, told in zip(entries, shown["data"], strict=True):
            for name in ("label", "abstained", "truncated", "empty_input"):
                assert entry[name] == told[name]
            assert entry["score"] == pytest.approx(told["score"], abs=1e-5)
            names = [score["label"] for score in entry["scores"]]
            assert names == [score["label"] for score in told["scores"]]
            scores = [score["score"] for score in entry["scores"]]
            assert scores == pytest.approx([score["score"] for score in told["scores"]], abs=1e-5)

    def test_are_counted_and_the_counts_add_up(self, claimed: Callable[..., OpenJob]) -> None:
        job = claimed(threshold=0.9, on_low_confidence="abstain")
        output = predict(job, {})
        counts, entries = output["counts"], entries_of(job, output)
        assert output["rows"] == ROWS == counts["predicted"] + counts["abstained"]
        assert counts["predicted"] == sum(counts["labels"].values())
        assert set(counts["labels"]) == set(LABELS)
        for flag in ("abstained", "truncated", "empty_input"):
            assert counts[flag] == sum(entry[flag] for entry in entries) > 0
        for label, rows in counts["labels"].items():
            assert rows == sum(entry["label"] == label for entry in entries)

    def test_below_the_threshold_may_keep_their_label(
        self, claimed: Callable[..., OpenJob]
    ) -> None:
        job = claimed(threshold=0.9)
        output = predict(job, {})
        assert output["counts"]["predicted"] == ROWS
        assert output["counts"]["abstained"] > 0
        assert all(entry["label"] is not None for entry in entries_of(job, output))

    def test_are_the_same_bytes_on_more_threads(
        self, workshop: Workshop, claimed: Callable[..., OpenJob]
    ) -> None:
        job = claimed()
        alone = predict(job, {})
        job = claimed(threads=3)
        assert job.assignment.threads == 3
        assert predict(job, {}) == alone

    def test_of_no_text_at_all_are_an_empty_file(self, claimed: Callable[..., OpenJob]) -> None:
        job = claimed(texts=[])
        output = predict(job, {})
        assert (output["rows"], entries_of(job, output)) == (0, [])


class TestInterruptions:
    def test_a_killed_attempt_goes_on_after_its_last_published_part(
        self, workshop: Workshop, claimed: Callable[..., OpenJob]
    ) -> None:
        undisturbed = predict(claimed(), {})
        workshop.told.clear()
        # In the second turn of the third part; each part is published at once.
        job = claimed(fault="predict.turn:raise:7", checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            predict(job, {})
        assert [pointer["step"] for pointer in published(workshop)] == [PART, 2 * PART]
        workshop.give_back(job)
        workshop.told.clear()
        resumed = again(workshop)
        assert resumed.row.attempt == 2
        assert predict(resumed, {}) == undisturbed
        places = [each.progress for each in workshop.told if isinstance(each, Advanced)]
        assert min(places) >= 2 * PART

    def test_what_was_never_published_is_done_again(
        self, workshop: Workshop, claimed: Callable[..., OpenJob]
    ) -> None:
        undisturbed = predict(claimed(), {})
        workshop.told.clear()
        job = claimed(fault="predict.part:raise:2")
        with pytest.raises(InjectedFault):
            predict(job, {})
        assert published(workshop) == []
        workshop.give_back(job)
        assert predict(again(workshop), {}) == undisturbed

    def test_asked_to_stop_it_publishes_what_is_finished(
        self, workshop: Workshop, claimed: Callable[..., OpenJob], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        undisturbed = predict(claimed(), {})
        workshop.told.clear()
        job = claimed()
        add = PredictionParts.add

        def add_and_stop(parts: PredictionParts, table: Any) -> None:
            add(parts, table)
            monkeypatch.setattr(job.stop, "_requested", True)

        monkeypatch.setattr(PredictionParts, "add", add_and_stop)
        with pytest.raises(Released):
            predict(job, {})
        monkeypatch.undo()
        monkeypatch.setattr(stage, "PART_ROWS", PART)
        assert [pointer["step"] for pointer in published(workshop)] == [PART]
        workshop.give_back(job)
        assert predict(again(workshop), {}) == undisturbed

    def test_a_damaged_part_and_those_after_it_are_made_anew(
        self, workshop: Workshop, store: ArtifactStore, claimed: Callable[..., OpenJob]
    ) -> None:
        undisturbed = predict(claimed(), {})
        workshop.told.clear()
        job = claimed(fault="predict.part:raise:4", checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            predict(job, {})
        workshop.give_back(job)
        members = store.members(published(workshop)[-1][PARTS])
        store.path(members["00000001"]).write_bytes(b"not a part")
        workshop.told.clear()
        resumed = again(workshop)
        assert predict(resumed, {}) == undisturbed
        places = [each.progress for each in workshop.told if isinstance(each, Advanced)]
        assert places[0] == PART

    def test_published_parts_outlive_the_garbage_collector(
        self, workshop: Workshop, store: ArtifactStore, claimed: Callable[..., OpenJob]
    ) -> None:
        job = claimed(fault="predict.part:raise:3", checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            predict(job, {})
        workshop.give_back(job)
        for path in store.root.glob("??/*"):
            os.utime(path, (1, 1))
        # The third part, which nobody finds, and the list of the first part alone.
        assert GarbageCollector(workshop.database, store).collect() == 2
        output = _run_stage(again(workshop), Stage.PREDICT, {})
        for path in store.root.glob("??/*"):
            os.utime(path, (1, 1))
        GarbageCollector(workshop.database, store).collect()
        store.verify(output["predictions"])
        with workshop.database.read() as session:
            assert StageRepository(session).get(job.row.id)[Stage.PREDICT].output == output


class TestTheModel:
    def test_that_was_deleted_fails_the_job(
        self, workshop: Workshop, claimed: Callable[..., OpenJob], model_id: ModelId
    ) -> None:
        job = claimed()
        with workshop.database.write() as session:
            row = session.get(ModelRow, model_id)
            assert row is not None
            row.deleted_at = datetime.now(UTC)
        with pytest.raises(ModelGone, match=model_id):
            predict(job, {})

    def test_whose_files_are_not_as_they_were_fails_the_job(
        self,
        workshop: Workshop,
        store: ArtifactStore,
        claimed: Callable[..., OpenJob],
        model_id: ModelId,
    ) -> None:
        job = claimed()
        with workshop.database.read() as session:
            row = session.get(ModelRow, model_id)
            assert row is not None
            files = store.tree(row.artifact)
        with files["model.onnx"].open("ab") as opened:
            opened.write(b"\0")
        with pytest.raises(ModelUnavailable):
            predict(job, {})


class TestTheEngine:
    def test_is_the_one_that_the_operator_pins(self, claimed: Callable[..., OpenJob]) -> None:
        job = claimed()
        with job.database.write() as session:
            model = session.get_one(ModelRow, job.row.spec["model_id"])
            here = {"machine": this_machine().to_json(), "note": None, "texts": 500}
            measured = {**here, "chosen": EngineName.OPENVINO_BF16.value}
            model.export = {**model.export, "engines": {"machines": [measured]}}
        pinned = replace(job.assignment, predict_engine=EngineName.ONNXRUNTIME.value)
        found = stage.load_predictor(replace(job, assignment=pinned), ModelId(model.id))
        assert found.engine is EngineName.ONNXRUNTIME
        if this_machine().has_bf16:
            found = stage.load_predictor(job, ModelId(model.id))
            assert found.engine is EngineName.OPENVINO_BF16

    def test_that_fails_is_replaced_by_the_reference(
        self, claimed: Callable[..., OpenJob], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        undisturbed = predict(claimed(), {})
        chosen = EngineChoice(EngineName.OPENVINO_INT8, "as if it had passed")
        monkeypatch.setattr(stage, "choose_for", lambda *_, **__: chosen)
        assert predict(claimed(), {}) == undisturbed

    def test_of_the_first_attempt_makes_the_whole_file(
        self, workshop: Workshop, claimed: Callable[..., OpenJob], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        job = claimed(fault="predict.part:raise:3", checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            predict(job, {})
        assert published(workshop)[-1]["engine"] == "onnxruntime"
        workshop.give_back(job)
        chosen = EngineChoice(EngineName.OPENVINO_BF16, "as if it were faster here")
        monkeypatch.setattr(stage, "choose_for", lambda *_, **__: chosen)
        resumed = again(workshop)
        assert stage.load_predictor(resumed, ModelId(resumed.row.spec["model_id"])).engine == (
            EngineName.ONNXRUNTIME
        )

    def test_that_this_machine_lacks_leaves_its_parts(
        self, workshop: Workshop, claimed: Callable[..., OpenJob]
    ) -> None:
        undisturbed = predict(claimed(), {})
        workshop.told.clear()
        job = claimed(fault="predict.part:raise:3", checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            predict(job, {})
        # The model has no quantized graph, so that this engine runs on no machine.
        workshop.told[:] = [
            CheckpointSaved({**each.pointer, "engine": "openvino_int8"})
            if isinstance(each, CheckpointSaved)
            else each
            for each in workshop.told
        ]
        workshop.give_back(job)
        workshop.told.clear()
        assert predict(again(workshop), {}) == undisturbed
        places = [each.progress for each in workshop.told if isinstance(each, Advanced)]
        assert min(places) < PART


class TestTurns:
    def test_hold_each_text_once_among_those_of_its_length(self) -> None:
        texts = texts_of()
        turns = turns_of(texts)
        assert sorted(place for turn in turns for place in turn) == list(range(ROWS))
        assert max(map(len, turns)) == TEXTS_A_TURN
        lengths = [len(texts[place]) for turn in turns for place in turn]
        assert lengths == sorted(lengths)

    def test_that_have_not_begun_are_left_when_told_to_stop(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        predictor = Predictor.load(write_tiny_model(tmp_path))
        texts = texts_of(100 * TEXTS_A_TURN)
        whole, answered = predictor.classify, list[int]()

        def slowly(some: Sequence[str]) -> Classified:
            time.sleep(0.01)
            answered.append(len(some))
            return whole(some)

        def stop(_: int) -> None:
            raise Released

        monkeypatch.setattr(predictor, "classify", slowly)
        with Crew(predictor, threads=1) as crew, pytest.raises(Released):
            crew.classify(texts, told=stop)
        assert 1 <= len(answered) < 50
