"""How the two bodies of an upload are told in /openapi.json, which cannot see them itself."""

from typing import Any

from pydantic.json_schema import models_json_schema

from app.datasets.request_schemas import DatasetFile, DatasetOfKeptTexts, DatasetWrite

FORM_EXAMPLE = {
    "file": "text,category\nI was charged twice.,billing\n",
    "name": "support tickets",
    "label_column": "category",
}
JSON_EXAMPLE = {
    "name": "support tickets",
    "rows": [
        "I was charged twice.",
        {"text": "The app crashes at the start.", "label": "tech"},
        {"text": "Where is my invoice?", "teacher_label": "billing", "teacher_confidence": 0.93},
    ],
}


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """The schema with every reference replaced: openapi_extra can add no components."""
    match schema:
        case {"$ref": str(reference), **beside}:
            found = definitions[reference.rpartition("/")[2]]
            return _inlined({**found, **beside}, definitions)
        case dict():
            return {key: _inlined(value, definitions) for key, value in schema.items()}
        case list():
            return [_inlined(value, definitions) for value in schema]
        case _:
            return schema


def _create_extra() -> dict[str, Any]:
    bodies = (DatasetFile, DatasetWrite, DatasetOfKeptTexts)
    schemas, written = models_json_schema([(body, "validation") for body in bodies])
    definitions = written.get("$defs", {})
    form, rows, kept = (_inlined(schemas[body, "validation"], definitions) for body in bodies)
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": form, "example": FORM_EXAMPLE},
                "application/json": {"schema": {"anyOf": [rows, kept]}, "example": JSON_EXAMPLE},
            },
        }
    }


CREATE_EXTRA = _create_extra()
