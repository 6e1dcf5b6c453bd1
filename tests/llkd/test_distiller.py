"""The loop teaches, counts, stops, and goes on after a break as if there had been none."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llkd.distiller import TrainingReport, distill
from llkd.dynamics import Dynamics
from llkd.held_out import split_held_out
from llkd.selection.base import Batch, Selection, Selector
from llkd.selection.factory import build_selector
from llkd.specs import (
    AllSelection,
    ClassConfidenceSelection,
    FreeMatchSelection,
    LlkdSelection,
    RandomSelection,
    SingleSelection,
    StudentUncertaintySelection,
)
from llkd.students.base import Learned, Student
from llkd.training_plan import TrainingPlan
from llkd.training_state import TrainingState
from llkd.types import Classified, FloatArray, IntArray, Json, Pool
from tests.llkd.conftest import MakeStudent
from tests.llkd.tiny_bert import make_pool

SELECTIONS: list[SingleSelection] = [
    LlkdSelection(),
    LlkdSelection(ragged=True),
    AllSelection(),
    RandomSelection(share=0.5),
    ClassConfidenceSelection(),
    StudentUncertaintySelection(),
    FreeMatchSelection(),
]


def selector_of(spec: SingleSelection, pool: Pool | None = None) -> Selector:
    return build_selector(spec, pool=pool or make_pool(3), seed=5)


def make_plan(
    *,
    epochs: int = 3,
    patience: int = 3,
    early_stopping: bool = True,
    learning_rate: float = 1e-3,
) -> TrainingPlan:
    return TrainingPlan(
        epochs=epochs,
        batch_size=8,
        learning_rate=learning_rate,
        seed=5,
        early_stopping=early_stopping,
        first_check=1,
        check_every=2,
        min_gain=0.01,
        patience=patience,
    )


class ScriptedStudent:
    """Answers what it is told, and remembers what it was taught."""

    def __init__(self, *, scores: Sequence[float] = (), average: float = 0.0) -> None:
        self.taught: list[list[str]] = []
        self.rates: list[float] = []
        self.events: list[str] = []
        self._truth: dict[str, int] = {}
        self._right = iter(scores)
        self._average = average

    def knowing(self, held_out: Pool) -> "ScriptedStudent":
        self._truth = dict(zip(held_out.texts, held_out.labels.tolist(), strict=True))
        return self

    def predict(self, texts: Sequence[str], *, averaged: bool = False) -> Classified:
        probabilities = np.full((len(texts), 3), 1 / 3)
        if texts and texts[0] in self._truth:
            share = self._average if averaged else next(self._right)
            for row, text in enumerate(texts):
                right = row < share * len(texts)
                winner = self._truth[text] if right else (self._truth[text] + 1) % 3
                probabilities[row] = np.eye(3)[winner]
        return Classified(probabilities, np.zeros(len(texts), dtype=np.bool_), len(texts))

    def update(
        self, texts: Sequence[str], labels: IntArray, weights: FloatArray, *, learning_rate: float
    ) -> Learned:
        self.taught.append(list(texts))
        self.rates.append(learning_rate)
        return Learned(1.0, np.full((len(texts), 3), 1 / 3))

    def remember(self, *, averaged: bool = False) -> None:
        self.events.append(f"remember {'average ' if averaged else ''}{len(self.taught)}")

    def recall(self) -> None:
        self.events.append("recall")

    def save_training(self, folder: Path) -> None: ...

    def restore_training(self, folder: Path) -> None: ...

    def weights_sha256(self) -> str:
        return ""

    def save_model(self, folder: Path) -> None: ...


class NoneAfter:
    """Keeps everything of the first batches, then nothing."""

    def __init__(self, batches: int) -> None:
        self._left = batches

    @property
    def needs_uncertainty(self) -> bool:
        return True

    def select(self, batch: Batch) -> Selection:
        self._left -= 1
        return Selection(np.full(len(batch), self._left >= 0), np.ones(len(batch)))

    def thresholds(self) -> Json:
        return {}

    def state(self) -> Json:
        return {"left": self._left}

    def restore(self, state: Json) -> None:
        self._left = state["left"]


class OneInSixteen(NoneAfter):
    """Keeps the first text of every other batch of eight, as a selection does late."""

    def __init__(self) -> None:
        super().__init__(0)

    def select(self, batch: Batch) -> Selection:
        self._left += 1
        keep = (np.arange(len(batch)) == 0) & (self._left % 2 == 0)
        return Selection(keep, np.ones(len(batch)))


def run(
    student: Student,
    pool: Pool,
    selector: Selector,
    *,
    plan: TrainingPlan,
    held_out: Pool | None = None,
) -> list[TrainingReport]:
    return list(distill(student, pool, selector, plan=plan, held_out=held_out))


class TestDistill:
    def test_a_student_learns_from_right_labels(self, make_student: MakeStudent) -> None:
        pool = make_pool(240)
        student = make_student()
        # Only one random layer and the head learn, so the rate is high.
        plan = make_plan(epochs=8, learning_rate=1e-2)
        run(student, pool, selector_of(LlkdSelection()), plan=plan)
        unseen = make_pool(60, seed=9)
        predicted = student.predict(unseen.texts).probabilities.argmax(axis=1)
        assert (predicted == unseen.labels).mean() > 0.9

    def test_training_on_all_uses_each_text_once_a_pass(self) -> None:
        student, pool = ScriptedStudent(), make_pool(48)
        last = run(student, pool, selector_of(AllSelection()), plan=make_plan(epochs=2))[-1]
        assert last.counters == {
            "seen": 96,
            "kept": 96,
            "forwards": 0,
            "gradient_samples": 96,
            "steps": 12,
            "tokens": 0,
        }
        assert last.unique_used == 48
        first_pass = [text for batch in student.taught[:6] for text in batch]
        assert sorted(first_pass) == sorted(pool.texts)

    def test_each_optimizer_step_has_a_full_batch(self) -> None:
        student = ScriptedStudent()
        run(student, make_pool(50), selector_of(RandomSelection(share=0.3)), plan=make_plan())
        assert {len(batch) for batch in student.taught} == {8}

    def test_a_ragged_plan_learns_from_what_is_kept_of_each_batch(self) -> None:
        student = ScriptedStudent()
        plan = replace(make_plan(epochs=1), ragged=True)
        reports = run(student, make_pool(80), selector_of(RandomSelection(share=0.3)), plan=plan)
        assert [report.state.buffer for report in reports] == [[]] * 10
        assert sum(map(len, student.taught)) == reports[-1].counters["kept"]
        assert {len(batch) for batch in student.taught} > {1, 2}

    def test_a_pool_smaller_than_a_batch_is_learned_from(self) -> None:
        student = ScriptedStudent()
        run(student, make_pool(5), selector_of(AllSelection()), plan=make_plan(epochs=3))
        assert [len(batch) for batch in student.taught] == [5, 5, 5]

    def test_scoring_is_counted_and_only_done_for_selectors_that_need_it(self) -> None:
        pool = make_pool(40)
        scored = run(ScriptedStudent(), pool, selector_of(LlkdSelection()), plan=make_plan())[-1]
        assert scored.counters["forwards"] == 3 * 40

    def test_the_fraction_rises_to_one(self) -> None:
        reports = run(
            ScriptedStudent(), make_pool(40), selector_of(AllSelection()), plan=make_plan()
        )
        fractions = [report.fraction for report in reports]
        assert fractions == sorted(fractions)
        assert fractions[-1] == 1
        assert reports[-1].stopped == "finished"
        assert [report.stopped for report in reports[:-1]] == [None] * (len(reports) - 1)

    def test_a_budget_of_steps_ends_it_and_brings_the_rate_down(self) -> None:
        student = ScriptedStudent()
        plan = replace(make_plan(epochs=99), most_steps=12, warmup_steps=1)
        last = run(student, make_pool(64), selector_of(AllSelection()), plan=plan)[-1]
        assert (last.step, last.fraction, last.stopped) == (12, 1, "finished")
        assert student.rates == pytest.approx([1e-3 * (1 - step / 12) for step in range(12)])

    def test_what_is_in_the_buffer_does_not_overrun_the_budget(self) -> None:
        student = ScriptedStudent()
        plan = replace(make_plan(), most_steps=2, batch_size=4)
        pool = Pool(["x"] * 64, np.arange(64) % 3, np.ones(64), class_count=16)
        run(student, pool, selector_of(AllSelection(), pool), plan=plan)
        assert len(student.taught) == 2

    def test_a_report_holds_what_a_person_wants_to_see(self) -> None:
        report = run(
            ScriptedStudent(), make_pool(40), selector_of(LlkdSelection()), plan=make_plan()
        )[0]
        assert 0 <= report.selected <= 1
        assert len(report.thresholds["teacher"]["by_class"]) == 3
        json.dumps(report.thresholds)


class TestStopping:
    def held_out(self) -> tuple[Pool, Pool]:
        return make_pool(64), make_pool(40, seed=77)

    def test_it_stops_after_three_looks_without_a_gain_and_goes_back_to_the_last_best(self) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent(scores=[0.3, 0.6, 0.9, 0.8, 0.9, 0.7]).knowing(held_out)
        plan = make_plan(epochs=40, patience=3)
        reports = run(student, pool, OneInSixteen(), plan=plan, held_out=held_out)
        assert reports[-1].stopped == "no_gain"
        assert student.events[-2:] == ["remember 9", "recall"]
        assert reports[-1].state.best_step == 9

    @pytest.mark.parametrize("selection", [AllSelection(), RandomSelection(share=0.15)], ids=repr)
    def test_without_a_gain_alone_it_goes_on(self, selection: SingleSelection) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent(scores=[0.9] * 20).knowing(held_out)
        plan = make_plan(epochs=4, patience=3)
        reports = run(student, pool, selector_of(selection), plan=plan, held_out=held_out)
        assert reports[-1].stopped == "finished"

    def test_a_low_rate_alone_is_no_reason_to_stop(self) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent(scores=[place / 20 for place in range(20)]).knowing(held_out)
        reports = run(student, pool, OneInSixteen(), plan=make_plan(epochs=40), held_out=held_out)
        assert reports[-1].stopped == "finished"

    def test_the_average_is_kept_where_it_scores_better(self) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent(scores=[0.3, 0.9, *[0.5] * 20], average=0.6).knowing(held_out)
        reports = run(
            student, pool, selector_of(AllSelection()), plan=make_plan(), held_out=held_out
        )
        assert student.events == ["remember average 1", "remember 3", "recall"]
        assert not reports[-1].state.best_is_average
        looked = [each.held_out_score for each in reports if each.held_out_score is not None]
        assert looked[:3] == pytest.approx([0.6, 0.9, 0.6], abs=0.05)
        assert reports[-1].counters["forwards"] == 2 * len(looked) * len(held_out)

    def test_a_creeping_score_is_no_gain_but_its_weights_are_kept(self) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent(scores=[0.5, 0.525, 0.55, 0.575]).knowing(held_out)
        plan = replace(make_plan(epochs=40), min_gain=0.2)
        reports = run(student, pool, OneInSixteen(), plan=plan, held_out=held_out)
        assert reports[-1].stopped == "no_gain"
        assert reports[-1].state.best_step == reports[-1].step == 7

    def test_the_last_weights_are_looked_at_in_any_case(self) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent(scores=[0.5, 0.7, 0.9]).knowing(held_out)
        plan = replace(make_plan(epochs=1), check_every=5)
        reports = run(student, pool, selector_of(AllSelection()), plan=plan, held_out=held_out)
        looked = [each.step for each in reports if each.held_out_score is not None]
        assert looked == [1, 6, 8]
        assert (reports[-1].stopped, reports[-1].state.best_step) == ("finished", 8)

    def test_every_look_knows_what_was_learned_from_by_then(self) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent(scores=[0.5, 0.7, 0.9, 0.9]).knowing(held_out)
        plan = replace(make_plan(epochs=2), check_every=5)
        reports = run(student, pool, selector_of(AllSelection()), plan=plan, held_out=held_out)
        at = {each.step: each for each in reports}
        assert reports[-1].state.efforts == [
            (at[step].counters["gradient_samples"], at[step].unique_used)
            for step, _ in reports[-1].state.looks
        ]
        assert reports[-1].state.efforts[-1] == (128, 64)

    def test_nobody_looks_before_the_first_check(self) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent(scores=[0.5] * 20).knowing(held_out)
        plan = replace(make_plan(epochs=2), first_check=7)
        reports = run(student, pool, selector_of(AllSelection()), plan=plan, held_out=held_out)
        looked = [each.step for each in reports if each.held_out_score is not None]
        assert looked == [7, 9, 11, 13, 15, 16]

    def test_without_early_stopping_nobody_looks(self) -> None:
        pool, held_out = self.held_out()
        student = ScriptedStudent().knowing(held_out)
        plan = make_plan(early_stopping=False)
        last = run(student, pool, selector_of(AllSelection()), plan=plan, held_out=held_out)[-1]
        assert (last.stopped, last.best_score) == ("finished", None)

    def test_it_stops_after_a_pass_that_kept_next_to_nothing(self) -> None:
        reports = run(ScriptedStudent(), make_pool(64), NoneAfter(8), plan=make_plan(epochs=9))
        assert reports[-1].stopped == "nothing_left"
        assert reports[-1].counters["seen"] == 128

    def test_a_small_share_that_was_asked_for_is_no_reason_to_stop(self) -> None:
        selector = selector_of(RandomSelection(share=0.05))
        assert (
            run(ScriptedStudent(), make_pool(64), selector, plan=make_plan())[-1].stopped
            == "finished"
        )


class TestResume:
    @pytest.mark.parametrize("spec", SELECTIONS, ids=repr)
    @pytest.mark.parametrize("break_at", [1, 4, 11, 17])
    def test_broken_training_ends_with_the_weights_of_undisturbed_training(
        self, make_student: MakeStudent, tmp_path: Path, spec: SingleSelection, break_at: int
    ) -> None:
        pool, held_out = make_pool(64, seed=2), make_pool(20, seed=3)
        plan = make_plan(patience=100)
        undisturbed = make_student()
        expected = run(undisturbed, pool, selector_of(spec, pool), plan=plan, held_out=held_out)[-1]

        first = make_student()
        reports = distill(first, pool, selector_of(spec, pool), plan=plan, held_out=held_out)
        for _ in range(break_at):
            report = next(reports)
        first.save_training(tmp_path)
        saved = json.dumps(report.state.to_json())
        report.state.dynamics.save(tmp_path / "dynamics.npz")

        second = make_student()
        second.restore_training(tmp_path)
        state = TrainingState.from_json(json.loads(saved), Dynamics.load(tmp_path / "dynamics.npz"))
        rest = list(
            distill(
                second, pool, selector_of(spec, pool), plan=plan, held_out=held_out, state=state
            )
        )
        assert second.weights_sha256() == undisturbed.weights_sha256()
        assert rest[-1].counters == expected.counters
        assert rest[-1].thresholds == expected.thresholds
        assert rest[-1].state.to_json() == expected.state.to_json()
        for name, array in vars(rest[-1].state.dynamics).items():
            assert array.tolist() == vars(expected.state.dynamics)[name].tolist(), name

    def test_a_finished_training_has_nothing_left_to_say(self) -> None:
        pool, selector = make_pool(40), selector_of(AllSelection())
        state = run(ScriptedStudent(), pool, selector, plan=make_plan())[-1].state
        again = TrainingState.from_json(state.to_json(), state.dynamics)
        student = ScriptedStudent()
        reports = distill(student, pool, selector, plan=make_plan(), held_out=None, state=again)
        assert list(reports) == []
        assert student.taught == []


class TestTrainingState:
    @given(
        used=st.lists(st.booleans(), min_size=1, max_size=40),
        buffer=st.lists(
            st.tuples(st.integers(0, 1000), st.floats(0, 1, exclude_min=True)), max_size=5
        ),
        score=st.none() | st.floats(0, 1),
    )
    def test_it_survives_json_exactly(
        self, used: list[bool], buffer: list[tuple[int, float]], score: float | None
    ) -> None:
        state = TrainingState.start(len(used))
        state.used[:], state.buffer, state.best_score, state.epoch = used, buffer, score, 2
        again = TrainingState.from_json(json.loads(json.dumps(state.to_json())), state.dynamics)
        assert again.used.tolist() == used
        assert again.buffer == buffer
        assert again.best_score == score
        assert again.to_json() == state.to_json()


class TestPlan:
    def test_a_pass_is_every_text_once_in_an_order_of_seed_and_epoch(self) -> None:
        pool, plan = make_pool(50), make_plan()
        one = np.concatenate(plan.batches(0, pool=pool))
        assert sorted(one.tolist()) == list(range(50))
        assert one.tolist() == np.concatenate(plan.batches(0, pool=pool)).tolist()
        assert one.tolist() != np.concatenate(plan.batches(1, pool=pool)).tolist()

    def test_batches_differ_by_one_text_at_the_most(self) -> None:
        sizes = {len(batch) for batch in make_plan().batches(0, pool=make_pool(53))}
        assert max(sizes) - min(sizes) <= 1

    def test_many_classes_are_selected_from_in_larger_batches(self) -> None:
        pool = Pool(["x"] * 1000, np.zeros(1000, dtype=np.int64), np.ones(1000), class_count=50)
        assert {len(batch) for batch in make_plan().batches(0, pool=pool)} == {100}


class TestSplitHeldOut:
    def test_the_surest_half_of_a_tenth_is_held_out_class_by_class(self) -> None:
        pool = make_pool(3000)
        trained, held_out = split_held_out(pool, seed=1)
        assert held_out is not None
        assert len(held_out) == pytest.approx(150, abs=3)
        assert held_out.confidence.mean() > trained.confidence.mean() + 0.1
        assert set(held_out.labels.tolist()) == {0, 1, 2}

    def test_no_text_is_both_trained_on_and_held_out(self) -> None:
        pool = make_pool(1000)
        numbered = Pool(
            [str(i) for i in range(1000)], pool.labels, pool.confidence, pool.class_count
        )
        trained, held_out = split_held_out(numbered, seed=1)
        assert held_out is not None
        assert sorted([*trained.texts, *held_out.texts], key=int) == numbered.texts

    def test_a_pool_too_small_for_it_keeps_all_its_texts(self) -> None:
        pool = make_pool(100)
        trained, held_out = split_held_out(pool, seed=1)
        assert held_out is None
        assert len(trained) == 100

    def test_unknown_confidences_are_held_out_too(self) -> None:
        _, held_out = split_held_out(make_pool(2000, confidence=float("nan")), seed=1)
        assert held_out is not None
        assert len(held_out) == pytest.approx(100, abs=3)
