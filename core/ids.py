"""What names a resource: a prefix that says its kind, and a ULID.

ULIDs sort by creation time, so a page of a list needs no second column to be
stable. The pattern is checked at the edge: an id that does not match cannot
name anything, and never reaches a query or a path.
"""

import re
from typing import NewType

from ulid import ULID

DatasetId = NewType("DatasetId", str)
JobId = NewType("JobId", str)
ModelId = NewType("ModelId", str)
TeacherId = NewType("TeacherId", str)
TenantId = NewType("TenantId", str)

# A name of models, or an alias of one.
WORD = "[a-z0-9][a-z0-9._-]{0,63}"
# What a caller may name a model by: its id, `name` or `name@alias`.
MODEL_REFERENCE = rf"^(?:{WORD}(?:@{WORD})?|model_[0-9A-HJKMNP-TV-Z]{{26}})$"
ID_PATTERN = re.compile(r"[a-z]+_[0-9A-HJKMNP-TV-Z]{26}")


def new_dataset_id() -> DatasetId:
    return DatasetId(f"ds_{ULID()}")


def new_job_id() -> JobId:
    return JobId(f"job_{ULID()}")


def new_model_id() -> ModelId:
    return ModelId(f"model_{ULID()}")


def new_teacher_id() -> TeacherId:
    return TeacherId(f"teacher_{ULID()}")


def new_request_id() -> str:
    return f"req_{ULID()}"


def is_id(value: str, *, prefix: str) -> bool:
    """Whether the value has the shape of an id of this kind; says nothing of its existence."""
    return value.startswith(f"{prefix}_") and ID_PATTERN.fullmatch(value) is not None
