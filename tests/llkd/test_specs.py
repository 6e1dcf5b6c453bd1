"""What is left out of a spec is filled in, once, by what the selection wants."""

from typing import Any, Literal

import pytest
from pydantic import ValidationError

from llkd.specs import (
    AllSelection,
    AutoSelection,
    ClassConfidenceSelection,
    DistillationSpec,
    Label,
    LlkdSelection,
    ProvidedTeacher,
    SelectionSpec,
    StudentSpec,
    StudentUncertaintySelection,
    TrainingSpec,
    usual_epochs,
)


def make_spec(selection: SelectionSpec, **training: Any) -> DistillationSpec:
    return DistillationSpec(
        labels=(Label(name="a"), Label(name="b")),
        teacher=ProvidedTeacher(),
        selection=selection,
        training=TrainingSpec(**training),
    )


def passes(selection: SelectionSpec, *, pool_size: int = 3000, **training: Any) -> int:
    return usual_epochs(make_spec(selection, **training), pool_size=pool_size)


ASKS = [LlkdSelection(), StudentUncertaintySelection()]


@pytest.mark.parametrize("selection", ASKS, ids=repr)
@pytest.mark.parametrize(
    ("pool_size", "expected"), [(1, 8), (750, 8), (1000, 6), (1500, 4), (10**6, 4)]
)
def test_a_selection_that_asks_the_student_reads_at_least_so_much(
    selection: SelectionSpec, pool_size: int, expected: int
) -> None:
    assert passes(selection, pool_size=pool_size) == expected


@pytest.mark.parametrize("selection", [AllSelection(), ClassConfidenceSelection()], ids=repr)
def test_others_have_three_passes(selection: SelectionSpec) -> None:
    assert passes(selection) == passes(selection, pool_size=10) == 3


@pytest.mark.parametrize("selection", [LlkdSelection(), AllSelection()], ids=repr)
def test_steps_that_are_asked_for_may_take_any_number_of_passes(selection: SelectionSpec) -> None:
    assert passes(selection, max_steps=50) == 1000


@pytest.mark.parametrize(("trainable", "rate"), [("top", 3e-4), ("all", 2e-4)])
def test_the_learning_rate_follows_what_learns(
    trainable: Literal["top", "all"], rate: float
) -> None:
    spec = make_spec(AllSelection()).model_copy(
        update={"student": StudentSpec(trainable=trainable)}
    )
    assert spec.resolved().training.learning_rate == rate
    assert spec.resolved().resolved() == spec.resolved()


class TestAuto:
    def test_each_candidate_has_the_passes_of_its_kind(self) -> None:
        candidates = make_spec(AutoSelection()).candidates()
        epochs = [usual_epochs(candidate, pool_size=3000) for candidate in candidates]
        assert epochs == [4, 3, 3]

    def test_without_it_there_is_one_candidate(self) -> None:
        spec = make_spec(AllSelection())
        assert spec.candidates() == (spec,)

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
