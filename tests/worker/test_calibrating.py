"""Label files are calibrated on gold, and the output says by what, on what and why."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.db.session import Database
from core.label_files import iter_labels
from core.lifecycle import Stage
from llkd.calibration_figures import CalibrationFigures, calibration_figures
from llkd.teacher_calibration import Calibration
from llkd.types import FloatArray
from tests.worker.corpus import LABELS, add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.calibrating import calibrate_labels
from worker.gold_answers import _Drawn, gather_gold
from worker.job import Job
from worker.pool import load_gold
from worker.protocol import Json
from worker.stages.label import label

BIAS = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1]])


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", tmp_path / "models")


def boasting_rows(count: int, *, gold: int, first: int = 0) -> list[Json]:
    """Answers of a teacher whose logits are three times too large, with gold on some rows."""
    generator = np.random.default_rng([1, first])
    rows = make_rows(count, gold=0, first=first)
    for place, row in enumerate(rows):
        honest = generator.normal(scale=1.5, size=3)
        truth = int((honest + generator.gumbel(size=3)).argmax())
        answer = np.exp(3 * honest) / np.exp(3 * honest).sum()
        row["gold"] = LABELS[truth] if place < gold else None
        row["teacher_probabilities"] = json.dumps(dict(zip(LABELS, answer.tolist(), strict=True)))
        row["teacher_label"] = LABELS[int(answer.argmax())]
        row["teacher_confidence"] = None
    return rows


def bare(rows: list[Json]) -> list[Json]:
    """The same rows with the teacher's confidences alone."""
    return [
        row
        | {
            "teacher_confidence": max(json.loads(row["teacher_probabilities"]).values()),
            "teacher_probabilities": None,
        }
        for row in rows
    ]


def claimed(
    workshop: Workshop, rows: list[Json], *, evaluation: list[Json] | None = None, **spec: Any
) -> Job:
    """A job over these rows; measured on others, if there are any."""
    dataset_id = add_dataset(workshop.database, workshop.data_dir, rows)
    given: Json = {}
    if evaluation is not None:
        given["evaluation_dataset_id"] = add_dataset(
            workshop.database, workshop.data_dir, evaluation
        )
    add_distillation(workshop.database, dataset_id, spec=make_spec(**spec), **given)
    return workshop.claim()


def asking(job: Job, calibration: str) -> Job:
    """The same job, asking for this."""
    spec = job.spec.model_copy(update={"calibration": calibration})
    return Job(**{**vars(job), "spec": spec})


def never() -> FloatArray | None:
    raise AssertionError("the teacher is not to be asked about nothing")


def entries(job: Job, digest: str) -> list[Json]:
    return [entry for chunk in iter_labels(job.artifacts.path(digest)) for entry in chunk]


def measured(job: Job, output: Json) -> CalibrationFigures:
    """What the evaluate stage will find of the teacher's confidences."""
    gold = load_gold(job, {Stage.LABEL: output})
    figures = calibration_figures(gold.teacher_confidence, gold.gold == gold.teacher)
    assert figures is not None
    return figures


class TestOnGoldToTrainOn:
    """An evaluation dataset measures, so that the gold of the dataset itself may fit."""

    @pytest.fixture
    def labelled(self, workshop: Workshop) -> tuple[Job, Json]:
        rows, others = boasting_rows(400, gold=120), boasting_rows(100, gold=100, first=1000)
        job = claimed(workshop, rows, evaluation=others)
        return job, label(job, {})

    def test_it_is_told_in_full(self, labelled: tuple[Job, Json]) -> None:
        told = labelled[1]["calibration"]
        assert (told["asked"], told["method"], told["reason"]) == (
            "auto",
            "temperature",
            "improved",
        )
        assert told["parameters"]["temperature"] == pytest.approx(3, rel=0.3)
        assert told["fitted_on"] == told["measured_on"] == {"rows": 120, "which": "trained_on"}
        assert told["folds"] == []
        assert told["after"]["log_loss"] < told["before"]["log_loss"]
        assert len(told["after"]["reliability"]) == len(told["before"]["reliability"]) == 10
        assert [each["method"] for each in told["tried"]] == ["temperature"]
        assert told["changed"] == 0
        stored = Calibration.from_json({key: told[key] for key in ("method", "parameters")})
        assert stored.id == told["id"]

    def test_it_survives_json(self, labelled: tuple[Job, Json]) -> None:
        told = labelled[1]["calibration"]
        assert "NaN" not in json.dumps(told)

    def test_every_answer_carries_it_in_both_files(self, labelled: tuple[Job, Json]) -> None:
        job, output = labelled
        name = output["calibration"]["id"]
        for key, count in (("labels", 400), ("evaluation_labels", 100)):
            found = entries(job, output[key])
            assert [entry["calibration_id"] for entry in found] == [name] * count
            for entry in found:
                assert sum(entry["probabilities"]) == pytest.approx(1)
                assert entry["confidence"] == max(entry["probabilities"])
                assert entry["confidence_source"] == "provided"

    def test_rows_that_measure_become_truer_than_they_were(
        self, workshop: Workshop, labelled: tuple[Job, Json]
    ) -> None:
        rows, others = boasting_rows(400, gold=120), boasting_rows(100, gold=100, first=1000)
        job = claimed(workshop, rows, evaluation=others, calibration="none")
        assert measured(*labelled).ece < measured(job, label(job, {})).ece


class TestOnGoldThatMeasures:
    """A fifth of a dataset may measure itself: with less gold than that, all of it does, and it
    fits only what is asked for by name."""

    def test_by_default_it_fits_nothing(self, workshop: Workshop) -> None:
        told = label(claimed(workshop, boasting_rows(500, gold=80)), {})["calibration"]
        assert (told["method"], told["fitted_on"]) == ("none", None)
        assert told["measured_on"] == {"rows": 80, "which": "measuring"}
        assert told["before"]["ece"] > 0

    def test_it_says_so_and_lists_the_fits_that_its_rows_carry(self, workshop: Workshop) -> None:
        job = claimed(workshop, boasting_rows(500, gold=80), calibration="temperature")
        output = label(job, {})
        told = output["calibration"]
        assert told["fitted_on"] == {"rows": 80, "which": "measuring"}
        assert len(set(told["folds"])) == 5
        found = entries(job, output["labels"])
        ids = {
            role: {entry["calibration_id"] for entry in found if entry["role"] == role}
            for role in ("train", "evaluation")
        }
        assert ids == {"train": {told["id"]}, "evaluation": set(told["folds"])}

    def test_what_is_measured_later_is_the_figure_out_of_fold(self, workshop: Workshop) -> None:
        job = claimed(workshop, bare(boasting_rows(2600, gold=520)), calibration="isotonic")
        output = label(job, {})
        told = output["calibration"]
        assert (told["method"], told["fitted_on"]["which"]) == ("isotonic", "measuring")
        gold = load_gold(job, {Stage.LABEL: output})
        squares = (gold.teacher_confidence - (gold.gold == gold.teacher)) ** 2
        assert squares.mean() == pytest.approx(told["after"]["brier"])


class TestWhatStays:
    @pytest.mark.parametrize(
        ("rows", "wish", "reason"),
        [
            (boasting_rows(120, gold=0), "auto", "too_little_gold"),
            (boasting_rows(500, gold=80), "none", "not_wanted"),
            (bare(boasting_rows(500, gold=80)), "temperature", "no_probabilities"),
            (bare(boasting_rows(500, gold=80)), "isotonic", "too_little_gold"),
            (
                [row | {"teacher_confidence": None} for row in make_rows(500, gold=80)],
                "auto",
                "no_confidence",
            ),
        ],
        ids=["no-gold", "none", "bare", "few", "hard"],
    )
    def test_the_files_stay_as_they_are_and_the_reason_is_told(
        self, workshop: Workshop, rows: list[Json], wish: str, reason: str
    ) -> None:
        job = claimed(workshop, rows, calibration=wish)
        output = label(job, {})
        told = output["calibration"]
        assert (told["method"], told["id"], told["reason"]) == ("none", None, reason)
        found = entries(job, output["labels"])
        assert {entry["calibration_id"] for entry in found} == {None}
        assert [entry["label"] for entry in found] == [row["teacher_label"] for row in rows]

    def test_unasked_and_bare_rows_beside_calibrated_ones(self, workshop: Workshop) -> None:
        rows = boasting_rows(400, gold=80)
        rows[200:210] = bare(rows[200:210])
        for row in rows[210:220]:
            row |= {"teacher_label": None, "teacher_probabilities": None}
        job = claimed(workshop, rows, calibration="temperature")
        output = label(job, {})
        found = entries(job, output["labels"])
        assert all(entry["calibration_id"] for entry in found[:200] + found[220:])
        assert [entry["confidence"] for entry in found[200:210]] == [
            row["teacher_confidence"] for row in rows[200:210]
        ]
        assert {entry["calibration_id"] for entry in found[200:220]} == {None}
        assert {entry["status"] for entry in found[210:220]} == {"missing"}

    def test_gold_of_rows_not_chosen_by_lot_takes_no_part(self, workshop: Workshop) -> None:
        rows, others = boasting_rows(300, gold=200), boasting_rows(60, gold=60, first=1000)
        job = claimed(workshop, rows, evaluation=others, calibration="none")
        output = label(job, {})
        asks = asking(job, "temperature")
        for count, expected in ((70, (70, "trained_on")), (49, (60, "measuring"))):
            told = calibrate_labels(asks, output, by_lot=set(range(count)), ask_content_free=never)
            fitted_on = told["calibration"]["fitted_on"]
            assert (fitted_on["rows"], fitted_on["which"]) == expected


class TestContextual:
    def test_a_model_s_liking_is_taken_away_and_changed_labels_are_counted(
        self, workshop: Workshop
    ) -> None:
        rows = boasting_rows(120, gold=0)
        for row in rows:
            answer = np.array(list(json.loads(row["teacher_probabilities"]).values()))
            liked = np.sqrt(answer) * BIAS.mean(axis=0)
            row["teacher_probabilities"] = json.dumps(
                dict(zip(LABELS, (liked / liked.sum()).tolist(), strict=True))
            )
        job = claimed(workshop, rows, calibration="none")
        plain = label(job, {})
        job = asking(job, "contextual")
        output = calibrate_labels(job, plain, by_lot=None, ask_content_free=lambda: BIAS)
        told = output["calibration"]
        assert (told["method"], told["reason"]) == ("contextual", "unchecked")
        assert told["parameters"] == {"content_free": pytest.approx([0.7, 0.2, 0.1])}
        found = [entry["label"] for entry in entries(job, output["labels"])]
        # What the teacher would have said without its liking.
        assert found == [row["teacher_label"] for row in rows]
        before = [entry["label"] for entry in entries(job, plain["labels"])]
        assert told["changed"] == sum(a != b for a, b in zip(found, before, strict=True)) > 0

    def test_it_is_not_forced_on_others(self, workshop: Workshop) -> None:
        job = claimed(workshop, boasting_rows(120, gold=0))
        output = calibrate_labels(job, label(job, {}), by_lot=None, ask_content_free=never)
        assert output["calibration"]["method"] == "none"

    @pytest.mark.parametrize("change", ["votes", "bare"])
    def test_who_gives_no_probabilities_of_its_own_is_not_asked(
        self, workshop: Workshop, change: str
    ) -> None:
        rows = boasting_rows(120, gold=0)
        job = claimed(workshop, bare(rows) if change == "bare" else rows, calibration="none")
        plain = label(job, {}) | ({"confidence_source": "votes"} if change == "votes" else {})
        output = calibrate_labels(
            asking(job, "contextual"), plain, by_lot=None, ask_content_free=never
        )
        assert output["calibration"]["method"] == "none"

    def test_gold_refuses_what_makes_confidences_less_true(self, workshop: Workshop) -> None:
        job = claimed(workshop, boasting_rows(500, gold=80), calibration="none")
        plain = label(job, {})
        output = calibrate_labels(
            asking(job, "contextual"), plain, by_lot=None, ask_content_free=lambda: BIAS
        )
        told = output["calibration"]
        assert (told["method"], told["reason"]) == ("none", "no_gain")
        [tried] = told["tried"]
        assert tried["log_loss"] > told["before"]["log_loss"]
        assert output["labels"] == plain["labels"]


class TestGatherGold:
    def test_gold_that_is_no_label_of_the_job_is_left_out(self, workshop: Workshop) -> None:
        rows = boasting_rows(200, gold=30)
        rows[0]["gold"] = "weather"
        job = claimed(workshop, rows)
        gathered = gather_gold(job, label(job, {}), by_lot=None)
        trained_on, measuring = gathered.answers
        assert (len(trained_on.gold), len(measuring.gold)) == (0, 29)
        assert gathered.places["measuring"].tolist() == list(range(1, 30))
        assert (gathered.known, gathered.distributed) == (170, 170)

    def test_of_more_than_enough_each_has_the_same_chance(self) -> None:
        kept = np.zeros(20)
        for seed in range(400):
            drawn = _Drawn(5, seed=seed)
            for place in range(20):
                drawn.offer((place, 0, {}))
            assert len(drawn.items) == 5
            kept[[place for place, _, _ in drawn.items]] += 1
        # A quarter of 400, give or take four standard deviations.
        assert kept.min() > 100 - 35
        assert kept.max() < 100 + 35
