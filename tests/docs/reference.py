"""Writes docs/api.md from the schema that the service tells: `python -m tests.docs.reference`."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from app.main import create_app
from core.config import Settings

Json = Mapping[str, Any]

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
HEAD = """\
# API reference

Made from `/openapi.json` by `.venv/bin/python -m tests.docs.reference`; a test fails when it is not up to date. Unknown fields are refused everywhere, times are RFC 3339 in UTC, and what is refused is told as a [problem](#problem). With API keys configured, every address but `/healthz`, `/readyz`, `/version` and `/problems/…` wants `Authorization: Bearer KEY`.
"""  # noqa: E501  (a paragraph of Markdown is one line)
LINK = "#/components/schemas/"


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(read_schema()), encoding="utf-8")


def read_schema() -> Json:
    """What `/openapi.json` answers."""
    with tempfile.TemporaryDirectory() as folder:
        schema: Json = create_app(Settings(data_dir=Path(folder))).openapi()
        return schema


def render(schema: Json) -> str:
    """The whole page: the addresses by their tags, then every schema."""
    operations = [
        (path, method, operation)
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    ]
    parts = [HEAD]
    operations.sort(key=lambda each: _tag(each[2]))
    for tag, group in groupby(operations, key=lambda each: _tag(each[2])):
        parts.append(f"## {tag.capitalize()}\n")
        parts += [_operation(*each) for each in group]
    parts.append("## Schemas\n")
    problem = schema["paths"]["/jobs"]["get"]["responses"]["default"]["content"]
    schemas = {
        **schema["components"]["schemas"],
        "Problem": problem["application/problem+json"]["schema"],
    }
    parts += [_schema(name, schemas[name]) for name in sorted(schemas)]
    return "\n".join(parts)


def _tag(operation: Json) -> str:
    tags: list[str] = operation.get("tags", ["service"])
    return tags[0]


def _operation(path: str, method: str, operation: Json) -> str:
    lines = [f"### {method.upper()} {path}", "", operation.get("description", ""), ""]
    parameters = operation.get("parameters", [])
    if parameters:
        lines += ["| parameter | in | type | meaning |", "|---|---|---|---|"]
        lines += [
            f"| `{each['name']}` | {each['in']} | {_type(each['schema'])} | "
            f"{_meaning(each['schema'] | each)} |"
            for each in parameters
        ]
        lines.append("")
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        for schema in _variants(media["schema"]):
            lines += _body(kind, schema)
    for status, answer in operation["responses"].items():
        if status != "default":
            lines.append(f"- {status}: {_answer(answer)}")
    return "\n".join([*lines, ""])


def _variants(schema: Json) -> list[Json]:
    return schema.get("oneOf") or schema.get("anyOf") or [schema]


def _body(kind: str, schema: Json) -> list[str]:
    """A body by its schema's name, or field by field where it has none."""
    if "properties" not in schema:
        return [f"Body, `{kind}`: {_type(schema)}", ""]
    return [f"Body, `{kind}`:", "", *_fields(schema), ""]


def _answer(answer: Json) -> str:
    kinds = [
        f"`{kind}`" + (f" {_type(media['schema'])}" if media.get("schema") else "")
        for kind, media in answer.get("content", {}).items()
    ]
    told = answer["description"].rstrip(".")
    said = "" if told == "Successful Response" else _one_line(told)
    return "; ".join(filter(None, [said, ", ".join(kinds)])) or "no body"


def _schema(name: str, schema: Json) -> str:
    lines = [f"### {name}", "", schema.get("description", ""), ""]
    if "properties" not in schema:
        return "\n".join([*lines, _type(schema), ""])
    return "\n".join([*lines, *_fields(schema), ""])


def _fields(schema: Json) -> list[str]:
    """A table of an object's fields; a star marks those that have to be there."""
    lines = ["| field | type | meaning |", "|---|---|---|"]
    for field, told in schema["properties"].items():
        star = " *" if field in schema.get("required", []) else ""
        lines.append(f"| `{field}`{star} | {_type(told)} | {_meaning(told)} |")
    return lines


def _meaning(told: Json) -> str:
    """What a field is for, its default, and an example where that is short."""
    parts = [_one_line(told.get("description", ""))]
    if told.get("default") is not None:
        parts.append(f"Default `{_short(told['default'])}`.")
    if told.get("examples") and (example := _short(told["examples"][0])) != "null":
        parts.append(f"Example `{example}`.")
    return " ".join(filter(None, parts))


def _type(schema: Json) -> str:
    """A type in words, with its limits, and links to the schemas it is made of."""
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(LINK)
        return f"[{name}](#{name.lower()})"
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return " or ".join(_type(each) for each in schema[key])
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return " or ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        items = _type(schema["items"]) if "items" in schema else "anything"
        return " ".join(["list of", items, *_limits(schema, "minItems", "maxItems")])
    kind = schema.get("type", "anything")
    limits = _limits(schema, "minLength", "maxLength")
    if limits:
        limits.append("characters")
    return " ".join([kind, *limits, *_limits(schema, "minimum", "maximum"), *_bounds(schema)])


def _limits(schema: Json, least: str, most: str) -> list[str]:
    low, high = schema.get(least), schema.get(most)
    if low is None and high is None:
        return []
    if low is None:
        return [f"≤ {high}"]
    if low == high:
        return [f"of {low}"]
    return [f"≥ {low}" if high is None else f"{low} to {high}"]


def _bounds(schema: Json) -> Iterator[str]:
    if "exclusiveMinimum" in schema:
        yield f"> {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema:
        yield f"< {schema['exclusiveMaximum']}"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return _one_line(text if len(text) <= 60 else text[:59] + "…")


def _one_line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    main()
