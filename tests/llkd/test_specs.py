"""What is left out of a spec is filled in, once, by what the selection wants."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from llkd.specs import (
    AllSelection,
    AutoSelection,
    CertificationSpec,
    ClassConfidenceSelection,
    DistillationSpec,
    EncoderSpec,
    Label,
    LlkdSelection,
    ProvidedTeacher,
    SelectionSpec,
    SingleStudent,
    StaticSpec,
    StudentChoice,
    StudentSpec,
    StudentUncertaintySelection,
    TrainingSpec,
)


def make_spec(selection: SelectionSpec, **training: Any) -> DistillationSpec:
    return DistillationSpec(
        labels=(Label(name="a"), Label(name="b")),
        teacher=ProvidedTeacher(),
        selection=selection,
        training=TrainingSpec(**training),
    )


def length(
    selection: SelectionSpec, *, pool_size: int = 3000, **training: Any
) -> tuple[int, int | None]:
    (candidate,) = make_spec(selection, **training).candidates()
    return candidate.usual_length(pool_size=pool_size)


ASKS = [LlkdSelection(), StudentUncertaintySelection()]
EITHER = [LlkdSelection(), AllSelection()]


@pytest.mark.parametrize("selection", ASKS, ids=repr)
@pytest.mark.parametrize(
    ("pool_size", "steps"), [(1, 75), (2000, 75), (3000, 112), (100_000, 3750)]
)
def test_a_selection_that_asks_the_student_learns_from_less(
    selection: SelectionSpec, pool_size: int, steps: int
) -> None:
    assert length(selection, pool_size=pool_size) == (8, steps)


@pytest.mark.parametrize("selection", [AllSelection(), ClassConfidenceSelection()], ids=repr)
def test_others_make_three_passes(selection: SelectionSpec) -> None:
    assert length(selection) == length(selection, pool_size=10) == (3, None)


@pytest.mark.parametrize("selection", EITHER, ids=repr)
def test_what_is_asked_for_alone_decides(selection: SelectionSpec) -> None:
    assert length(selection, epochs=5) == (5, None)
    assert length(selection, max_steps=50) == (1000, 50)
    assert length(selection, epochs=5, max_steps=50) == (5, 50)


@pytest.mark.parametrize(
    ("student", "rate"),
    [
        (EncoderSpec(trainable="top"), 3e-4),
        (EncoderSpec(trainable="all"), 2e-4),
        (StaticSpec(), 3e-3),
    ],
)
def test_the_learning_rate_follows_what_learns(student: SingleStudent, rate: float) -> None:
    spec = make_spec(AllSelection()).model_copy(update={"student": student})
    assert spec.resolved().training.learning_rate == rate
    assert spec.resolved().resolved() == spec.resolved()


class TestAuto:
    def test_each_candidate_is_as_long_as_its_kind(self) -> None:
        candidates = make_spec(AutoSelection()).candidates()
        lengths = [candidate.usual_length(pool_size=3000) for candidate in candidates]
        assert lengths == [(8, 112), (3, None), (3, None)]

    def test_without_it_there_is_one_candidate(self) -> None:
        spec = make_spec(AllSelection())
        (candidate,) = spec.candidates()
        assert (candidate.selection, candidate.student) == (spec.selection, spec.student)

    @pytest.mark.parametrize(
        "candidates",
        [
            [],
            [{"kind": "all"}],
            [{"kind": "all"}, {"kind": "all"}],
            [{"kind": "all"}, {"kind": "auto"}],
            [{"kind": "all"}, {"kind": "llkd", "labeling": "lazy"}],
            [{"kind": "all"}, {"kind": "nonsense"}],
        ],
    )
    def test_candidates_that_make_no_sense_are_refused(self, candidates: list[Any]) -> None:
        with pytest.raises(ValidationError):
            AutoSelection.model_validate({"candidates": candidates})


def read_student(value: Any) -> Any:
    return TypeAdapter(StudentSpec).validate_python(value)


class TestStudents:
    def test_without_a_word_of_its_kind_it_is_an_encoder(self) -> None:
        assert read_student({"model": "minilm"}) == EncoderSpec()

    def test_with_candidates_it_is_a_choice(self) -> None:
        chosen = read_student(
            {"candidates": [{"kind": "static"}, {"trainable": "all"}], "target": {"p95_ms": 10}}
        )
        assert isinstance(chosen, StudentChoice)
        assert chosen.candidates == (StaticSpec(), EncoderSpec(trainable="all"))

    def test_what_is_written_is_read_again(self) -> None:
        for value in ({"kind": "static"}, {}, {"candidates": [{}, {"kind": "static"}]}):
            student = read_student(value)
            assert read_student(student.model_dump(mode="json")) == student
            assert read_student(student) == student

    @pytest.mark.parametrize(
        "value",
        [
            "minilm",
            {"kind": "nonsense"},
            {"kind": ["static"]},
            {"kind": "static", "trainable": "all"},
            {"candidates": [{}]},
            {"candidates": [{}, {}]},
            {"candidates": [{}, {"candidates": [{}, {"kind": "static"}]}]},
            {"candidates": [{}, {"kind": "static"}], "target": {"p95_ms": 0}},
            {"candidates": [{}, {"kind": "static"}], "target": {"p95_ms": 5, "device": "gpu"}},
        ],
        ids=repr,
    )
    def test_what_makes_no_sense_is_refused(self, value: Any) -> None:
        with pytest.raises(ValidationError):
            read_student(value)

    def test_every_one_is_trained_with_every_selection_at_its_own_rate(self) -> None:
        choice = StudentChoice(candidates=(StaticSpec(), EncoderSpec()))
        spec = make_spec(AutoSelection()).model_copy(update={"student": choice}).resolved()
        assert spec.training.learning_rate is None
        found = [(each.student.kind, each.selection.kind) for each in spec.candidates()]
        kinds = ("llkd", "class_confidence", "all")
        assert found == [(s, k) for s in ("static", "encoder") for k in kinds]
        assert [each.learning_rate for each in spec.candidates()] == [3e-3] * 3 + [3e-4] * 3

    def test_too_many_pairs_are_refused(self) -> None:
        students = [{"max_length": 8 + place} for place in range(6)]
        with pytest.raises(ValidationError, match="18 pairs"):
            DistillationSpec.model_validate(
                {
                    "labels": [{"name": "a"}, {"name": "b"}],
                    "teacher": {"kind": "provided"},
                    "selection": {"kind": "auto"},
                    "student": {"candidates": students},
                }
            )


class TestCalibration:
    def test_what_is_not_one_teacher_cannot_be_asked_about_nothing(self) -> None:
        given = make_spec(LlkdSelection()).model_dump(mode="json") | {"calibration": "contextual"}
        several = {"kind": "ensemble", "teachers": [{"kind": "few_shot"}, {"kind": "zero_shot"}]}
        for teacher in ({"kind": "provided"}, several):
            with pytest.raises(ValidationError, match="can be asked so"):
                DistillationSpec.model_validate(given | {"teacher": teacher})
        few_shot = given | {"teacher": {"kind": "few_shot"}}
        assert DistillationSpec.model_validate(few_shot).calibration == "contextual"

    def test_a_spec_that_says_nothing_of_it_is_calibrated(self) -> None:
        assert make_spec(LlkdSelection()).calibration == "auto"


class TestCertification:
    def test_none_is_asked_for_by_default(self):
        assert make_spec(AllSelection()).certification is None

    @pytest.mark.parametrize("rows", [100, 20_000])
    def test_both_ends_are_allowed(self, rows):
        assert CertificationSpec.model_validate({"rows": rows}).rows == rows

    @pytest.mark.parametrize("asked", [{}, {"rows": 99}, {"rows": 20_001}, {"rows": "500"}])
    def test_others_are_not(self, asked):
        with pytest.raises(ValidationError):
            CertificationSpec.model_validate(asked)
