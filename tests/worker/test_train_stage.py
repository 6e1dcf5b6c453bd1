"""Training goes on after a break as if there had been none, and loses what it must not keep."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from sqlalchemy import select

from core.db.repositories.histories import HistoryRepository
from core.db.session import Database
from core.db.tables import JobRow, SelectionFrameRow
from core.ids import JobId
from core.lifecycle import Stage
from llkd.errors import InsufficientLabelDiversity
from llkd.serving_cost import ServingCost
from tests.worker.corpus import add_dataset, add_distillation, add_models, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker import history as written
from worker.faults import InjectedFault
from worker.job import Job
from worker.protocol import Advanced, CheckpointSaved, Json
from worker.stages import train as stage
from worker.stages.label import label
from worker.stages.train import train
from worker.stop_request import Released


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Sums in one order: equal weights are promised for one number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_models(tmp_path_factory.mktemp("data"))


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path, models_dir: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", models_dir)


def add_job(workshop: Workshop, rows: list[Json] | None = None, **spec: Any) -> None:
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows or make_rows(120, gold=0))
    add_distillation(workshop.database, dataset_id, spec=make_spec(**spec))


def run(job: Job) -> Json:
    return train(job, {Stage.LABEL: label(job, {})})


def undisturbed(workshop: Workshop) -> Json:
    add_job(workshop)
    return run(workshop.claim())


def crash_at(step: int, *, attempt: int) -> dict[str, str]:
    return {"TESTING": "1", "FAULT": f"train.step:raise:{step}:{attempt}"}


class TestInterruptedTraining:
    def test_ends_with_the_weights_of_an_undisturbed_one(self, workshop: Workshop) -> None:
        expected = undisturbed(workshop)
        add_job(workshop)
        for attempt, step in enumerate((3, 1, 5), start=1):
            job = workshop.claim(environment=crash_at(step, attempt=attempt), checkpoint_seconds=0)
            with pytest.raises(InjectedFault):
                run(job)
            workshop.give_back(job)
        output = run(workshop.claim())
        assert output["weights_sha256"] == expected["weights_sha256"]
        assert output["counters"] == expected["counters"]
        assert output["student"] == expected["student"]

    def test_asked_to_stop_it_saves_and_goes_on_from_there(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = undisturbed(workshop)
        add_job(workshop)
        job = workshop.claim()
        outputs = {Stage.LABEL: label(job, {})}
        monkeypatch.setattr(job.stop, "_requested", True)
        with pytest.raises(Released):
            train(job, outputs)
        workshop.give_back(job)
        assert job.row.checkpoint is None
        again = workshop.claim()
        assert again.row.checkpoint is not None
        workshop.told.clear()
        assert run(again)["weights_sha256"] == expected["weights_sha256"]

    def test_from_a_damaged_checkpoint_it_starts_anew(self, workshop: Workshop) -> None:
        expected = undisturbed(workshop)
        add_job(workshop)
        job = workshop.claim(environment=crash_at(4, attempt=1), checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            run(job)
        workshop.give_back(job)
        again = workshop.claim()
        assert again.row.checkpoint is not None
        weights = next(Path(again.row.checkpoint["uri"]).glob("*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:-1] + b"\0")
        assert run(again)["weights_sha256"] == expected["weights_sha256"]

    def test_a_checkpoint_that_was_never_published_is_swept(self, workshop: Workshop) -> None:
        add_job(workshop)
        job = workshop.claim(environment=crash_at(6, attempt=1), checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            run(job)
        saved = [told.pointer for told in workshop.told if isinstance(told, CheckpointSaved)]
        assert len(saved) > 1
        # The supervisor heard of the first one only: the others were lost on the way.
        workshop.told[:] = [CheckpointSaved(saved[0])]
        workshop.give_back(job)
        run(workshop.claim())
        left = [pointer for pointer in saved if Path(pointer["uri"]).exists()]
        assert left == saved[:1]

    def test_leaves_the_history_of_an_undisturbed_one(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(written, "MOST_FRAMES", 4)
        undisturbed(workshop)
        add_job(workshop)
        for attempt, step in enumerate((3, 5), start=1):
            job = workshop.claim(environment=crash_at(step, attempt=attempt), checkpoint_seconds=0)
            with pytest.raises(InjectedFault):
                run(job)
            workshop.give_back(job)
            # The newest checkpoint was never published: what it knew comes again.
            workshop.told[-1:] = []
        run(workshop.claim())
        first, second = histories(workshop)
        assert first == second
        curve, frames = first[0]
        assert len(curve) > len(frames) > 2


def histories(workshop: Workshop) -> list[list[tuple[list[Json], list[Json]]]]:
    """Of each job and each of its students the curve, but for its time, and the frames."""
    with workshop.database.read() as session:
        kept = HistoryRepository(session)

        def curve(job_id: JobId, candidate: int) -> list[Json]:
            points = kept.points(job_id, candidate, numbers=range(10_000))
            return [point._asdict() | {"seconds": None} for point in points]

        def frames(job_id: JobId, candidate: int) -> list[Json]:
            numbers = [place["number"] for place in kept.frame_places(job_id, candidate)]
            rows = [kept.frame(job_id, candidate, number=number) for number in numbers]
            return [row_content(row) for row in rows if row is not None]

        return [
            [(curve(job_id, each), frames(job_id, each)) for each in range(kept.candidates(job_id))]
            for job_id in session.scalars(select(JobRow.id).order_by(JobRow.id))
        ]


def row_content(row: SelectionFrameRow) -> Json:
    """All but whose it is."""
    names = {column.key for column in row.__table__.columns} - {"job_id", "candidate"}
    return {name: getattr(row, name) for name in names}


TRIED = [{"kind": "llkd"}, {"kind": "all"}]
AUTO = {"kind": "auto", "candidates": TRIED}
# Few steps each, and enough texts for a held-out slice.
SHORT = {
    "max_steps": 6,
    "batch_size": 16,
    "learning_rate": 1e-3,
    "device": "cpu",
}


class TestAuto:
    def rows(self) -> list[Json]:
        return make_rows(800, gold=0)

    def test_each_candidate_is_trained_as_a_job_of_its_own_would_be(
        self, workshop: Workshop
    ) -> None:
        add_job(workshop, self.rows(), selection=AUTO, training=SHORT)
        auto = run(workshop.claim())
        alone = []
        for selection in TRIED:
            add_job(workshop, self.rows(), selection=selection, training=SHORT)
            alone.append(run(workshop.claim()))
        scores = [output["final_score"] for output in alone]
        assert [tried["held_out_score"] for tried in auto["candidates"]] == scores
        best = scores.index(max(scores))
        assert auto["weights_sha256"] == alone[best]["weights_sha256"]
        assert auto["candidate"]["selection"]["kind"] == TRIED[best]["kind"]
        assert [tried["chosen"] for tried in auto["candidates"]] == [best == 0, best == 1]
        assert alone[0]["candidates"] is None

    def test_after_a_crash_no_finished_candidate_is_trained_again(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("worker.progress.TELL_EVERY_S", 0.0)
        add_job(workshop, self.rows(), selection=AUTO, training=SHORT)
        expected = run(workshop.claim())
        steps = expected["candidates"][0]["steps"]
        add_job(workshop, self.rows(), selection=AUTO, training=SHORT)
        job = workshop.claim(environment=crash_at(3 * steps, attempt=1), checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            run(job)
        workshop.give_back(job)
        workshop.told.clear()
        again = run(workshop.claim())
        assert again["weights_sha256"] == expected["weights_sha256"]
        assert again["candidates"][0]["seconds"] > 0
        first = next(m for m in workshop.told if isinstance(m, Advanced) and "step" in m.detail)
        assert first.detail["step"] > steps

    def test_each_candidate_leaves_the_history_of_a_job_of_its_own(
        self, workshop: Workshop
    ) -> None:
        add_job(workshop, self.rows(), selection=AUTO, training=SHORT)
        run(workshop.claim())
        for selection in TRIED:
            add_job(workshop, self.rows(), selection=selection, training=SHORT)
            run(workshop.claim())
        both, *alone = histories(workshop)
        assert both == [history for (history,) in alone]
        # What selects nothing by scores has none to show.
        assert set(both[1][1][0]["points"]["uncertainty"]) == {None}

    def test_what_is_finished_stands_in_the_jobs_row(self, workshop: Workshop) -> None:
        """There the garbage collector sees it, however long the next candidate takes."""
        add_job(workshop, self.rows(), selection=AUTO, training=SHORT)
        job = workshop.claim()
        output = run(job)
        workshop.give_back(job)
        finished = workshop.row(JobId(job.row.id)).checkpoint["finished"]  # type: ignore[index]
        assert [each["student"] for each in finished] == [output["candidates"][0]["student"]]

    def test_progress_counts_all_candidates(self, workshop: Workshop) -> None:
        add_job(workshop, self.rows(), selection=AUTO, training=SHORT)
        job = workshop.claim()
        job.progress.enter(Stage.TRAIN)
        run(job)
        told = [message for message in workshop.told if isinstance(message, Advanced)]
        percents = [message.detail["percent"] for message in told]
        assert percents == sorted(percents)


class TestProgress:
    def test_it_never_goes_back_and_never_says_done(self, workshop: Workshop) -> None:
        add_job(workshop)
        job = workshop.claim()
        outputs = {Stage.LABEL: label(job, {})}
        workshop.told.clear()
        job.progress.enter(Stage.TRAIN)
        train(job, outputs)
        told = [message for message in workshop.told if isinstance(message, Advanced)]
        numbers = [message.progress for message in told]
        percents = [message.detail["percent"] for message in told]
        assert numbers == sorted(numbers)
        assert percents == sorted(percents)
        assert percents[-1] < 100


class TestTooLittleToLearnFrom:
    def test_one_label_alone_is_refused_with_its_histogram(self, workshop: Workshop) -> None:
        rows = make_rows(60, gold=0)
        for place, row in enumerate(rows):
            row["teacher_label"] = "billing" if place > 6 else "account"
        add_job(workshop, rows)
        with pytest.raises(InsufficientLabelDiversity, match=r"billing: 53, account: 7"):
            run(workshop.claim())


def test_without_any_confidence_llkd_is_all_and_is_trained_once(workshop: Workshop) -> None:
    rows = [row | {"teacher_confidence": None} for row in make_rows(120, gold=0)]
    add_job(workshop, rows, selection=AUTO)
    output = run(workshop.claim())
    assert output["candidate"]["selection"]["kind"] == "all"
    assert output["candidates"] is None
    assert output["counters"]["kept"] == output["counters"]["seen"]


STATIC = {"kind": "static", "model": "local/tiny", "max_length": 16}
ENCODER = {"kind": "encoder", "model": "local/tiny", "max_length": 16}


class TestChoice:
    def output(self, workshop: Workshop, **student: Any) -> Json:
        choice = {"candidates": [ENCODER, STATIC]} | student
        add_job(workshop, make_rows(800, gold=0), student=choice, training=SHORT)
        return run(workshop.claim())

    def test_each_student_is_trained_as_a_job_of_its_own_would_be(self, workshop: Workshop) -> None:
        output = self.output(workshop)
        alone = []
        for student in (ENCODER, STATIC):
            add_job(workshop, make_rows(800, gold=0), student=student, training=SHORT)
            alone.append(run(workshop.claim()))
        found = [(each["student"], each["held_out_score"]) for each in output["candidates"]]
        assert found == [(each["student"], each["final_score"]) for each in alone]
        assert [each["serving"] for each in alone] == [None, None]
        assert all(each["serving"]["size_bytes"] > 0 for each in output["candidates"])
        best = max(alone, key=lambda each: each["final_score"])
        assert output["weights_sha256"] == best["weights_sha256"]

    def test_of_none_fast_enough_the_fastest_is_kept(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        costs = iter([ServingCost(6.0, 9.0, 90), ServingCost(0.1, 0.2, 30)])
        monkeypatch.setattr(stage, "measure_serving", lambda *_, **__: next(costs))
        output = self.output(workshop, target={"p95_ms": 0.1})
        assert [each["holds_target"] for each in output["candidates"]] == [False, False]
        assert [each["chosen"] for each in output["candidates"]] == [False, True]
        assert output["candidate"]["student"]["kind"] == "static"

    def test_one_within_the_target_is_kept_however_good_the_other(
        self, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        costs = iter([ServingCost(0.1, 0.2, 30), ServingCost(6.0, 9.0, 90)])
        monkeypatch.setattr(stage, "measure_serving", lambda *_, **__: next(costs))
        output = self.output(workshop, target={"p95_ms": 1.0})
        assert [each["holds_target"] for each in output["candidates"]] == [True, False]
        assert output["candidate"]["student"]["kind"] == "encoder"

    def test_a_broken_training_goes_on_bit_for_bit(self, workshop: Workshop) -> None:
        expected = self.output(workshop)
        choice = {"candidates": [ENCODER, STATIC]}
        add_job(workshop, make_rows(800, gold=0), student=choice, training=SHORT)
        steps = expected["candidates"][0]["steps"]
        job = workshop.claim(environment=crash_at(3 * steps, attempt=1), checkpoint_seconds=0)
        with pytest.raises(InjectedFault):
            run(job)
        workshop.give_back(job)
        again = run(workshop.claim())
        assert [each["student"] for each in again["candidates"]] == [
            each["student"] for each in expected["candidates"]
        ]
