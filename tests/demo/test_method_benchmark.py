"""Strategies are trained alike, scored by gold alone, and compared text by text."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import method
from benchmarks.comparison import Difference, Result, as_markdown, compare, score
from benchmarks.gold_folder import NotAFolderOfOurs
from benchmarks.pseudo_labels import TeacherChoice, load_setting
from benchmarks.strategies import QUICK, STRATEGIES, Run
from llkd.specs import ClassConfidenceSelection, RandomSelection
from llkd.types import IntArray

LLKD = Run(
    strategy="llkd",
    predicted=np.array([0, 1, 1]),
    pool=90,
    unique=45,
    kept=0.25,
    gradient_samples=640,
    steps=20,
    forwards=900,
    teacher_answers=100,
    right=0.775,
    confidence="given",
    held_out_score=0.8,
    ended="finished",
    averaged=True,
    seconds=12.0,
)


RUNS = {"llkd": LLKD, "llkd, lazy": replace(LLKD, strategy="llkd, lazy", steps=7)}


def rival(predicted: list[int], name: str = "all, 3 epochs") -> Run:
    return replace(LLKD, strategy=name, predicted=np.array(predicted))


def make_result(strategy: str, *, seed: int, macro_f1: float, **changes: Any) -> Result:
    fields = {name: value for name, value in vars(LLKD).items() if name != "predicted"}
    result = Result(
        **fields | {"strategy": strategy},
        setting="trec6",
        teacher="few_shot:k=32",
        split="test",
        limit=None,
        student={},
        training={},
        seed=seed,
        classes=6,
        test=500,
        macro_f1=macro_f1,
        accuracy=macro_f1,
        differences={"all, 3 epochs": Difference(2.0, -1.0, 5.0)} if strategy == "llkd" else {},
    )
    return replace(result, **changes)


class TestScore:
    def test_macro_f1_is_the_mean_over_classes(self) -> None:
        gold: IntArray = np.array([0, 0, 1, 1])
        # Class 0: precision 1, recall 1/2; class 1: precision 2/3, recall 1.
        assert score(np.array([0, 1, 1, 1]), gold, classes=2) == pytest.approx(
            ((2 / 3 + 4 / 5) / 2, 0.75)
        )


class TestCompare:
    def test_equal_answers_do_not_differ(self) -> None:
        found = compare(LLKD, [rival([0, 1, 1])], np.array([0, 1, 0]), classes=2, seed=1)
        assert found["all, 3 epochs"] == Difference(0.0, 0.0, 0.0)

    def test_the_sign_is_llkds(self) -> None:
        gold = np.tile([0, 1], 100)
        ours, theirs = replace(LLKD, predicted=gold), rival(np.tile([0, 0], 100).tolist())
        difference = compare(ours, [theirs], gold, classes=2, seed=1)["all, 3 epochs"]
        assert difference.value == pytest.approx(100 * (1 - 1 / 3))
        assert 0 < difference.low <= difference.value <= difference.high


class TestTables:
    def results(self) -> list[Result]:
        return [
            make_result("llkd", seed=42, macro_f1=0.80),
            make_result("llkd", seed=43, macro_f1=0.82),
            make_result("all, 3 epochs", seed=42, macro_f1=0.78, gradient_samples=6400, pool=91),
            make_result("all, 3 epochs", seed=43, macro_f1=0.78, gradient_samples=6400),
            make_result("llkd", seed=42, macro_f1=0.50, setting="isear"),
            make_result("all, 3 epochs", seed=42, macro_f1=0.51, setting="isear"),
        ]

    def test_a_line_a_strategy_with_its_spread_and_llkds_difference(self) -> None:
        text = as_markdown(self.results())
        assert text.count("**trec6**") == text.count("**isear**") == 1
        assert "| llkd | 81.0 ± 1.4 |" in text
        assert (
            "| all, 3 epochs | 78.0 ± 0.0 | 78.0 ± 0.0 | +2.0 (-1.0 to +5.0) | - | 100, 77.5 % |"
            in text
        )
        assert "seeds [42, 43])" in text

    def test_what_was_asked_beside_the_defaults_is_told_and_kept_apart(self) -> None:
        asked = make_result("llkd", seed=42, macro_f1=0.7, training={"max_steps": 100})
        text = as_markdown([*self.results(), asked])
        assert "seeds [42]; max_steps 100)" in text
        assert "| llkd | 81.0 ± 1.4 |" in text

    def test_the_last_table_is_llkds_gain_over_settings(self) -> None:
        # Gains of 3 and -1 points; 3 x 640 gradient samples against 2 x 6400 + 640.
        expected = "| all, 3 epochs | 2 | +1.00 | -1.0 | 1 | 100 % | 14 % | 100 % |"
        assert expected in as_markdown(self.results())

    def test_lazy_has_a_summary_of_its_own(self) -> None:
        lazy = [
            make_result("llkd, lazy", seed=seed, macro_f1=0.79, teacher_answers=25)
            for seed in (42, 43)
        ]
        text = as_markdown([*self.results(), *lazy])
        assert "| all, 3 epochs | 1 | +1.00 | +1.0 | 1 | 25 % | 10 % | 100 % |" in text
        assert "| llkd, lazy against |" in text

    def test_auto_is_the_best_by_the_held_out_score_at_the_cost_of_all(self) -> None:
        tried = [
            make_result("llkd", seed=42, macro_f1=0.80, held_out_score=0.9),
            make_result("all, 3 epochs", seed=42, macro_f1=0.85, held_out_score=0.8, steps=90),
            make_result("class_confidence, LLKD's steps", seed=42, macro_f1=0.7),
        ]
        line = next(row for row in as_markdown(tried).split("\n") if row.startswith("| auto | "))
        assert line.startswith("| auto | 80.0 | 80.0 |")
        assert "| 1,920 | 130 |" in line


class TestStrategies:
    def test_rivals_of_equal_cost_take_llkds_size_and_steps(self) -> None:
        recipe = STRATEGIES["random, LLKD's size and steps"](RUNS)
        assert recipe.selection == RandomSelection(share=0.25)
        assert (recipe.training.max_steps, recipe.training.early_stopping) == (20, False)
        recipe = STRATEGIES["class_confidence, LLKD's steps"](RUNS)
        assert recipe.selection == ClassConfidenceSelection()
        assert recipe.training.max_steps == 20

    def test_lazys_rival_buys_by_lot_and_takes_lazys_steps(self) -> None:
        recipe = STRATEGIES["random answers, class_confidence"](RUNS)
        assert (recipe.answers, recipe.training.max_steps) == ("random", 7)
        assert recipe.selection == ClassConfidenceSelection(share=0.7)

    @pytest.mark.parametrize("name", STRATEGIES)
    def test_each_can_be_asked_for(self, name: str) -> None:
        recipe = STRATEGIES[name](RUNS)
        assert recipe.selection.kind in name
        assert recipe.training.batch_size == 32

    def test_the_quick_ones_are_among_them(self) -> None:
        assert set(QUICK) <= set(STRATEGIES)


class TestTeacherChoice:
    def test_both_forms_are_read(self) -> None:
        assert TeacherChoice.parse("few_shot:k=32") == TeacherChoice(k=32, file=None)
        assert str(TeacherChoice.parse("provided:votes.jsonl")) == "provided:votes"

    @pytest.mark.parametrize("written", ["few_shot", "few_shot:32", "provided:", "gpt:k=3"])
    def test_anything_else_is_refused(self, written: str) -> None:
        with pytest.raises(ValueError, match="neither"):
            TeacherChoice.parse(written)


def make_folder(folder: Path) -> Path:
    """Forty texts of two classes, ten of test, and a teacher's file with some mistakes."""
    words = {"a": "refund invoice charge", "b": "crash error outage"}
    (folder / "labels.json").write_text(json.dumps(list(words)), encoding="utf-8")
    for part, count in (("train", 20), ("test", 5)):
        lines = [
            json.dumps({"text": f"{words[label]} {part} {number}", "label": label})
            for label in words
            for number in range(count)
        ]
        (folder / f"{part}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    answers = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
    for place, answer in enumerate(answers):
        answer["confidence"] = None if place == 0 else 0.5 + place / 100
    answers[1]["label"] = "B"
    in_test = {"text": "refund invoice charge test 0", "label": "a", "confidence": 1.0}
    _write(folder, [*answers, in_test])
    return folder


def _write(folder: Path, answers: list[dict[str, Any]]) -> None:
    lines = [json.dumps(answer) for answer in answers]
    (folder / "teacher.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


PROVIDED = TeacherChoice.parse("provided:teacher.jsonl")


class TestLoadSetting:
    def test_provided_answers_become_the_pool_without_the_test_texts(self, tmp_path: Path) -> None:
        setting = load_setting(make_folder(tmp_path), PROVIDED, split="test", seed=1, limit=None)
        assert len(setting.pool) == 40
        assert not set(setting.pool.texts) & set(setting.test_texts)
        assert (setting.pool.labels == setting.gold).mean() == pytest.approx(39 / 40)
        assert np.isnan(setting.pool.confidence).sum() == 1

    def test_of_a_sorted_test_file_some_texts_are_of_every_class(self, tmp_path: Path) -> None:
        """Macro-F1 over the first rows alone would count all other classes as missed."""
        setting = load_setting(make_folder(tmp_path), PROVIDED, split="test", seed=1, limit=None)
        some = setting.with_test(6)
        assert len(some.test_texts) == len(some.test_gold) == 6
        assert set(some.test_gold.tolist()) == {0, 1}
        gold_of = dict(zip(setting.test_texts, setting.test_gold.tolist(), strict=True))
        assert [gold_of[text] for text in some.test_texts] == some.test_gold.tolist()

    def test_a_label_that_is_not_declared_is_told(self, tmp_path: Path) -> None:
        folder = make_folder(tmp_path)
        _write(folder, [{"text": "x", "label": "c", "confidence": 1.0}])
        with pytest.raises(NotAFolderOfOurs, match=r"line 1: label 'c'"):
            load_setting(folder, PROVIDED, split="test", seed=1, limit=None)

    @pytest.mark.parametrize("line", ["{", "[]", '{"text": "x"}'])
    def test_a_line_that_is_no_answer_is_told(self, tmp_path: Path, line: str) -> None:
        folder = make_folder(tmp_path)
        (folder / "teacher.jsonl").write_text(line + "\n", encoding="utf-8")
        with pytest.raises(NotAFolderOfOurs, match="line 1"):
            load_setting(folder, PROVIDED, split="test", seed=1, limit=None)


class TestAnswered:
    def test_a_job_of_half_the_answers_reads_their_confidences_alone(self, tmp_path: Path) -> None:
        setting = load_setting(make_folder(tmp_path), PROVIDED, split="test", seed=1, limit=None)
        assert setting.vectors.shape == (40, 384)
        places = np.arange(0, 40, 2)
        pool, used = setting.answered(places, by_lot=places, seed=1)
        assert used == "estimated"
        assert list(pool.texts) == [setting.pool.texts[place] for place in places.tolist()]
        # The given confidences follow the place in the file: they say nothing of the labels.
        assert pool.confidence.tolist() != setting.pool.confidence[places].tolist()

    def test_a_few_shot_teachers_answers_are_corrected_for_the_prior(self, tmp_path: Path) -> None:
        choice = TeacherChoice.parse("few_shot:k=4")
        setting = load_setting(make_folder(tmp_path), choice, split="test", seed=1, limit=None)
        places = np.arange(len(setting.pool))
        pool, used = setting.answered(places, by_lot=places, seed=1)
        assert used == "given"
        # Both classes are equally often in the pool and among the examples: hardly any change.
        assert pool.confidence == pytest.approx(setting.pool.confidence, abs=0.05)
        assert pool.labels.tolist() == setting.pool.labels.tolist()


class TestMeasureUnit:
    def test_lazy_asks_within_its_budget_and_its_rival_as_much(self, tmp_path: Path) -> None:
        options = method._options(
            [
                str(make_folder(tmp_path)),
                "--teacher=provided:teacher.jsonl",
                "--strategies=llkd, lazy;random answers, class_confidence",
                '--training={"max_steps": 1, "batch_size": 4}',
            ]
        )
        lazy, rival = method.measure_unit(options.folders[0], 42, options)
        assert (lazy.strategy, lazy.teacher_answers, lazy.pool) == ("llkd, lazy", 10, 10)
        assert (rival.teacher_answers, rival.steps) == (10, lazy.steps)
        assert list(lazy.differences) == ["random answers, class_confidence"]

    def test_strategies_learn_from_one_pool_and_are_compared(self, tmp_path: Path) -> None:
        options = method._options(
            [
                str(make_folder(tmp_path)),
                "--teacher=provided:teacher.jsonl",
                "--strategies=class_confidence, LLKD's steps;llkd",
                '--training={"max_steps": 2, "batch_size": 8}',
            ]
        )
        results = method.measure_unit(options.folders[0], 42, options)
        llkd, rival = results
        assert (llkd.strategy, rival.strategy) == ("llkd", "class_confidence, LLKD's steps")
        assert (llkd.steps, rival.steps) == (2, 2)
        assert llkd.pool == rival.pool == 40
        assert list(llkd.differences) == ["class_confidence, LLKD's steps"]
        assert rival.differences == {}
        assert "macro-F1" in as_markdown(results)


class TestResume:
    def test_what_the_file_holds_is_not_measured_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder, out = make_folder(tmp_path), tmp_path / "out.jsonl"
        line = asdict(make_result("llkd", seed=42, macro_f1=0.8, setting=folder.name))
        out.write_text(json.dumps(line | {"machine": {}}) + "\n", encoding="utf-8")
        options = method._options(
            [
                str(folder),
                "--teacher=few_shot:k=32",
                "--strategies=llkd",
                "--seeds=2",
                f"--out={out}",
                "--resume",
            ]
        )
        units = [(folder, seed) for seed in (42, 43)]
        found = method._measured_before(units, options)
        assert [(each.strategy, each.seed) for each in found] == [("llkd", 42)]
        assert [method._is_measured(unit, found, options) for unit in units] == [True, False]
        options.training = {"epochs": 1}
        assert method._measured_before(units, options) == []
