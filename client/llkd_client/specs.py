"""Short ways to say what a job's request says at length."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llkd_client.requests import Json

Labels = Iterable[str | Mapping[str, Any]] | Mapping[str, Any]
TEACHER_ID = "teacher_"
DATASET_ID = "ds_"


def as_labels(told: Labels) -> list[Json]:
    """Labels as `POST /jobs` takes them.

    Args:
        told: names; or objects with `name`, `description`, `examples`; or descriptions by name.

    Raises:
        TypeError: none of these.
    """
    if isinstance(told, str | bytes):
        raise TypeError("labels are a list of names, not one string")
    if isinstance(told, Mapping):
        return [_described(str(name), about) for name, about in told.items()]
    return [_label(each) for each in told]


def as_teacher(told: str | Mapping[str, Any]) -> Json:
    """A teacher: its kind (`few_shot`), a stored one's id (`teacher_…`), or the whole of it."""
    if isinstance(told, str) and told.startswith(TEACHER_ID):
        return {"kind": "openai", "teacher_id": told}
    return as_kind(told)


def as_kind(told: str | Mapping[str, Any]) -> Json:
    """What is told apart by its kind: the kind alone, or the whole of it."""
    return {"kind": told} if isinstance(told, str) else dict(told)


def is_dataset(told: str) -> bool:
    """Whether it is the id of a dataset, and no file that looks like one."""
    return told.startswith(DATASET_ID) and not Path(told).exists()


def _described(name: str, about: object) -> Json:
    match about:
        case None:
            return {"name": name}
        case str():
            return {"name": name, "description": about}
        case Mapping():
            return {"name": name, **about}
        case _:
            raise TypeError(f"what is said of the label {name!r} is neither text nor an object")


def _label(told: object) -> Json:
    match told:
        case str():
            return {"name": told}
        case Mapping():
            return dict(told)
        case _:
            raise TypeError(f"a label is a name or an object, not {type(told).__name__}")
