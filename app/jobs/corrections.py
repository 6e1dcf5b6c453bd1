"""Labels that a person gives in the place of a teacher's, with a replay."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from core.errors import ErrorItem, ValidationFailed
from core.label_files import Role, read_roles
from llkd.specs import Spec, label_key

Json = dict[str, Any]
MOST_CORRECTIONS = 1000

WHY_NOT = {
    Role.EVALUATION: "measures teacher and student with its gold label",
    Role.CERTIFICATION: "certifies by what its teacher said of it",
    Role.EXCLUDED: "is left out, because the evaluation dataset holds the same text",
}


class Correction(Spec):
    """A person's label of one text."""

    index: int = Field(
        ge=0,
        le=10**9,
        description="Place of the text in the dataset, from 0, as labels, audit and disagreements "
        "tell it. It has the role `train`: what measures or certifies stays as it is.",
        examples=[17],
    )
    label: Annotated[str, StringConstraints(min_length=1, max_length=100)] = Field(
        description="One of the job's labels.", examples=["billing"]
    )


def check_corrections(
    corrections: Sequence[Correction], *, names: Sequence[str], labels: Path
) -> list[Json]:
    """The corrections as they are stored, each label as the job spells it.

    Args:
        names: of the job's labels.
        labels: the file of the answers that they correct.

    Raises:
        ValidationFailed: an index is beyond the dataset, comes twice, or is of a text that is
            not trained on; or a label is none of the job's. All of them are named.
    """
    spelled = {label_key(name): name for name in names}
    roles = read_roles(labels, {each.index for each in corrections})
    seen: dict[int, int] = {}
    faults: list[ErrorItem] = []
    for place, each in enumerate(corrections):
        fault = _fault_of(each, roles, earlier=seen.setdefault(each.index, place), place=place)
        if fault is not None:
            faults.append(ErrorItem(f"/corrections/{place}/index", *fault))
        if label_key(each.label) not in spelled:
            message = f"{each.label!r} is not among the job's labels."
            faults.append(ErrorItem(f"/corrections/{place}/label", "unknown-label", message))
    if faults:
        wrong = len({fault.pointer.split("/")[2] for fault in faults})
        first = faults[0].message
        message = f"{wrong} of {len(corrections)} corrections cannot be made. The first: {first}"
        raise ValidationFailed(message, errors=faults)
    return [{"index": each.index, "label": spelled[label_key(each.label)]} for each in corrections]


def _fault_of(
    correction: Correction, roles: dict[int, Role], *, earlier: int, place: int
) -> tuple[str, str] | None:
    """Code and message of what is wrong with an index; None where it can be corrected."""
    index = correction.index
    if earlier != place:
        return "duplicate-index", f"Text {index} has a correction already, at {earlier}."
    if index not in roles:
        return "out-of-range", f"The dataset has no text {index}."
    if roles[index] is not Role.TRAIN:
        return "not-trained-on", f"Text {index} {WHY_NOT[roles[index]]}."
    return None
