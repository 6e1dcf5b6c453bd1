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
    usual_length,
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
    return usual_length(make_spec(selection, **training), pool_size=pool_size)


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
    def test_each_candidate_is_as_long_as_its_kind(self) -> None:
        candidates = make_spec(AutoSelection()).candidates()
        lengths = [usual_length(candidate, pool_size=3000) for candidate in candidates]
        assert lengths == [(8, 112), (3, None), (3, None)]

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
