"""The reference on paper is the one the service tells."""

from tests.docs.reference import PAGE, read_schema, render


class TestReference:
    def test_the_page_is_what_the_schema_says_now(self):
        assert PAGE.read_text(encoding="utf-8") == render(read_schema()), (
            "docs/api.md is out of date: .venv/bin/python -m tests.docs.reference"
        )

    def test_every_field_and_parameter_says_what_it_means(self):
        schema = read_schema()
        silent = [
            f"{name}.{field}"
            for name, told in schema["components"]["schemas"].items()
            for field, what in told.get("properties", {}).items()
            if not _is_told(what)
        ]
        silent += [
            f"{method} {path} {each['name']}"
            for path, methods in schema["paths"].items()
            for method, operation in methods.items()
            for each in operation.get("parameters", [])
            if "description" not in each
        ]
        assert silent == []


def _is_told(field):
    return "description" in field or "examples" in field or "const" in field or "$ref" in field
