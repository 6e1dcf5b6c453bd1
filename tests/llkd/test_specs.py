"""What is left out of a spec is filled in, once, by what the selection wants."""

from typing import Any

import pytest

from llkd.specs import (
    AllSelection,
    ClassConfidenceSelection,
    DistillationSpec,
    Label,
    LlkdSelection,
    ProvidedTeacher,
    SelectionSpec,
    StudentUncertaintySelection,
    TrainingSpec,
)


def resolved(selection: SelectionSpec, **training: Any) -> tuple[int | None, int | None]:
    spec = DistillationSpec(
        labels=(Label(name="a"), Label(name="b")),
        teacher=ProvidedTeacher(),
        selection=selection,
        training=TrainingSpec(**training),
    ).resolved()
    assert spec.resolved() == spec
    return spec.training.epochs, spec.training.max_steps


@pytest.mark.parametrize("selection", [LlkdSelection(), StudentUncertaintySelection()], ids=repr)
def test_a_selection_that_asks_the_student_has_six_passes(selection: SelectionSpec) -> None:
    assert resolved(selection) == (6, None)


@pytest.mark.parametrize("selection", [AllSelection(), ClassConfidenceSelection()], ids=repr)
def test_others_have_three_passes(selection: SelectionSpec) -> None:
    assert resolved(selection) == (3, None)


@pytest.mark.parametrize("selection", [LlkdSelection(), AllSelection()], ids=repr)
def test_what_is_given_alone_decides(selection: SelectionSpec) -> None:
    assert resolved(selection, epochs=5) == (5, None)
    assert resolved(selection, max_steps=50) == (1000, 50)
    assert resolved(selection, epochs=5, max_steps=50) == (5, 50)
