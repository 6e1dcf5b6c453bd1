"""Which jobs a list is asked for: `metadata[team]=cx` and its neighbours."""

import re
from collections.abc import Mapping

from fastapi import Request

from core.errors import ErrorItem, ValidationFailed

KNOWN = ("limit", "after", "state", "dataset_id", "from_job")
LISTED = ", ".join(KNOWN)
METADATA = re.compile(r"metadata\[([A-Za-z0-9_.-]{1,64})\]")

# FastAPI cannot read such parameters from a signature; this tells the reader of the docs.
METADATA_PARAMETER = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "required": False,
    "description": "Only jobs whose metadata holds each of these pairs: `metadata[team]=cx`.",
    "schema": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 500}},
    "example": {"team": "cx"},
}


def read_metadata_filter(request: Request) -> Mapping[str, str]:
    """The pairs that a job's metadata must hold.

    Raises:
        ValidationFailed: a parameter that this list does not know, or one given twice.
    """
    pairs: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in KNOWN:
            continue
        key = METADATA.fullmatch(name)
        if key is None or key.group(1) in pairs or "\0" in value:
            message = f"Known are {LISTED}, and each metadata[KEY] once."
            where = ErrorItem(f"query:{name[:80]}", "unknown-parameter", message)
            raise ValidationFailed(f"Query parameter {name[:80]!r}: {message}", errors=[where])
        pairs[key.group(1)] = value
    return pairs
