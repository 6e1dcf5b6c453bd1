"""What is left out of a spec is filled in, once, by what the selection wants."""

from typing import Any

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


def resolved(selection: SelectionSpec, **training: Any) -> tuple[int | None, int | None]:
    spec = make_spec(selection, **training).resolved()
    assert spec.resolved() == spec
    return spec.training.epochs, spec.training.max_steps


@pytest.mark.parametrize("selection", [LlkdSelection(), StudentUncertaintySelection()], ids=repr)
def test_a_selection_that_asks_the_student_has_four_passes(selection: SelectionSpec) -> None:
    assert resolved(selection) == (4, None)


@pytest.mark.parametrize("selection", [AllSelection(), ClassConfidenceSelection()], ids=repr)
def test_others_have_three_passes(selection: SelectionSpec) -> None:
    assert resolved(selection) == (3, None)


@pytest.mark.parametrize("selection", [LlkdSelection(), AllSelection()], ids=repr)
def test_what_is_given_alone_decides(selection: SelectionSpec) -> None:
    assert resolved(selection, epochs=5) == (5, None)
    assert resolved(selection, max_steps=50) == (1000, 50)
    assert resolved(selection, epochs=5, max_steps=50) == (5, 50)


class TestAuto:
    def test_each_candidate_has_the_passes_of_its_kind(self) -> None:
        spec = make_spec(AutoSelection()).resolved()
        assert spec.training.epochs is None
        epochs = [candidate.resolved().training.epochs for candidate in spec.candidates()]
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
