"""Every odd request that we know of around a file or rows, and what it gets."""

import json
import zlib
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from tests.app.datasets.files import MIB, TEXTS, csv_file, upload

BOUNDARY = "form-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def form(*parts: bytes, end: bytes = b"--\r\n") -> bytes:
    opened = b"".join(b"--" + BOUNDARY.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    return opened + b"--" + BOUNDARY.encode() + end


def part(name: str, content: bytes, *, file_name: str | None = None) -> bytes:
    named = f'; filename="{file_name}"' if file_name is not None else ""
    header = f'Content-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return header.encode() + content


FILE = part("file", csv_file(), file_name="a.csv")
ANSWERS = part("answers", b"text,guess\na,b\n", file_name="b.csv")
ANSWERED = part("teacher_label_column", b"guess")
VOTES = [part("teacher_votes_column", b"text")]

FORMS = [
    ("no file part", form(part("name", b"a")), 422, "missing-file"),
    ("nothing at all", b"", 400, "malformed-multipart"),
    ("a file without a name", form(part("file", b"text\na\n")), 422, "missing-file"),
    ("an unfilled file field", form(part("file", b"", file_name="")), 422, "missing-file"),
    (
        "an empty second file",
        form(FILE, ANSWERED, part("answers", b"", file_name="b.csv")),
        422,
        "empty-file",
    ),
    ("answers twice", form(FILE, ANSWERED, ANSWERS, ANSWERS), 422, "too-many-files"),
    ("answers alone", form(ANSWERED, ANSWERS), 422, "missing-file"),
    ("answers without a file name", form(FILE, part("answers", b"text\na\n")), 422, "missing-file"),
    (
        "answers in no format",
        form(FILE, ANSWERED, part("answers", b"a", file_name="a.xls")),
        422,
        "unsupported-format",
    ),
    ("answers in no column", form(FILE, ANSWERS), 422, "validation-error"),
    (
        "answers without their column",
        form(FILE, part("teacher_votes_column", b"v"), ANSWERS),
        422,
        "missing-column",
    ),
    (
        "votes beside a confidence",
        form(FILE, *VOTES, part("teacher_confidence_column", b"c")),
        422,
        "validation-error",
    ),
    (
        "votes beside probabilities",
        form(FILE, *VOTES, part("teacher_probabilities_column", b"c")),
        422,
        "validation-error",
    ),
    ("a file by another name", form(part("data", b"", file_name="a.csv")), 422, "missing-file"),
    ("two files", form(FILE, FILE), 422, "too-many-files"),
    ("1,000 parts", form(*[part(f"n{n}", b"a") for n in range(1000)]), 400, "malformed-multipart"),
    ("a 10 kB header", form(b"X: " + b"a" * 10_000 + b"\r\n" + FILE), 400, "malformed-multipart"),
    ("no last boundary", form(FILE, end=b"\r\n"), 400, "malformed-multipart"),
    ("a part without a name", form(b"X: y\r\n\r\na"), 400, "malformed-multipart"),
    ("a field of 17 kB", form(FILE, part("name", b"a" * 17_000)), 400, "malformed-multipart"),
    ("a field twice", form(FILE, *[part("name", b"a")] * 2), 400, "malformed-multipart"),
    ("an unknown field", form(FILE, part("colour", b"red")), 422, "validation-error"),
    ("an unknown encoding", form(FILE, part("encoding", b"ebcdic")), 422, "validation-error"),
    ("an unknown policy", form(FILE, part("on_bad_row", b"ignore")), 422, "validation-error"),
    ("a long delimiter", form(FILE, part("delimiter", b"||")), 422, "validation-error"),
    ("a quote as delimiter", form(FILE, part("delimiter", b'"')), 422, "validation-error"),
    ("a name that does not print", form(FILE, part("name", b"a\x00")), 422, "validation-error"),
    ("a name of 201 characters", form(FILE, part("name", b"a" * 201)), 422, "validation-error"),
]

ROWS = [{"text": text} for text in TEXTS]
BODIES = [
    ("nothing", b"", 400, "malformed-json"),
    ("a trailing comma", b'{"name": "a",}', 400, "malformed-json"),
    ("NaN", b'{"name": NaN}', 400, "malformed-json"),
    ("a long integer", b'{"name": ' + b"9" * 5000 + b"}", 400, "malformed-json"),
    ("deep nesting", b"[" * 100_000, 400, "json-too-deep"),
    ("a key twice", b'{"name": "a", "name": "b"}', 400, "duplicate-key"),
    ("UTF-16", '{"name": "a"}'.encode("utf-16"), 400, "invalid-encoding"),
    ("a list", json.dumps(ROWS).encode(), 422, "validation-error"),
    ("null", b"null", 422, "validation-error"),
    ("no rows", b'{"name": "a"}', 422, "validation-error"),
    ("an unknown field", json.dumps({"name": "a", "row": ROWS}).encode(), 422, "validation-error"),
    (
        "an unknown field of a row",
        json.dumps({"name": "a", "rows": [{"text": "a", "lable": "b"}]}).encode(),
        422,
        "validation-error",
    ),
    (
        "a number as text",
        json.dumps({"name": "a", "rows": [*ROWS, 3]}).encode(),
        422,
        "validation-error",
    ),
    (
        "votes beside a confidence",
        json.dumps(
            {
                "name": "a",
                "rows": [{"text": "a", "teacher_votes": ["b"], "teacher_confidence": 1.0}],
            }
        ).encode(),
        422,
        "validation-error",
    ),
    (
        "half a vote",
        json.dumps({"name": "a", "rows": [{"text": "a", "teacher_votes": {"b": 0.5}}]}).encode(),
        422,
        "validation-error",
    ),
    (
        "a boolean as confidence",
        json.dumps({"name": "a", "rows": [{"text": "a", "teacher_confidence": True}]}).encode(),
        422,
        "validation-error",
    ),
    (
        "an infinite confidence",
        b'{"name": "a", "rows": [{"text": "a", "teacher_confidence": 1e999}]}',
        422,
        "validation-error",
    ),
    ("no texts", json.dumps({"name": "a", "rows": []}).encode(), 422, "empty-dataset"),
    ("too few", json.dumps({"name": "a", "rows": ROWS[:5]}).encode(), 422, "insufficient-data"),
    (
        "over 1 MiB",
        json.dumps({"name": "a", "rows": ["a" * MIB]}).encode(),
        413,
        "body-too-large",
    ),
]


class TestSendAForm:
    @pytest.mark.parametrize(
        ("body", "status", "code"), [case[1:] for case in FORMS], ids=[case[0] for case in FORMS]
    )
    def test_a_bad_form_is_refused(
        self, shared_client: TestClient, body: bytes, status: int, code: str
    ) -> None:
        answer = shared_client.post("/datasets", content=body, headers={"Content-Type": FORM})
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()

    def test_a_form_without_a_boundary_is_refused(self, shared_client: TestClient) -> None:
        answer = shared_client.post(
            "/datasets", content=form(FILE), headers={"Content-Type": "multipart/form-data"}
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "malformed-multipart")

    def test_a_file_over_the_limit_is_refused_unread(self, shared_client: TestClient) -> None:
        answer = upload(shared_client, "a.csv", b"a" * 65 * MIB)
        assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")

    def test_a_file_of_unsaid_length_is_counted_as_it_comes(
        self, shared_client: TestClient
    ) -> None:
        def endless() -> Iterator[bytes]:
            yield form(FILE)[:-30]
            for _ in range(66):
                yield b"a" * MIB

        answer = shared_client.post("/datasets", content=endless(), headers={"Content-Type": FORM})
        assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")


class TestSendRows:
    @pytest.mark.parametrize(
        ("body", "status", "code"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES]
    )
    def test_a_bad_body_is_refused(
        self, shared_client: TestClient, body: bytes, status: int, code: str
    ) -> None:
        answer = shared_client.post(
            "/datasets", content=body, headers={"Content-Type": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()

    def test_the_place_of_a_bad_row_is_named(self, shared_client: TestClient) -> None:
        answer = shared_client.post("/datasets", json={"name": "a", "rows": ["a", {"text": 1}]})
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/rows/1/text"]

    def test_the_place_of_a_bad_vote_is_one_in_the_body(self, shared_client: TestClient) -> None:
        rows = [{"text": "a", "teacher_votes": [0.5]}]
        answer = shared_client.post("/datasets", json={"name": "a", "rows": rows})
        pointers = {fault["pointer"] for fault in answer.json()["errors"]}
        assert pointers == {"/rows/0/teacher_votes", "/rows/0/teacher_votes/0"}

    @pytest.mark.parametrize(
        "kind", ["", "text/plain", "application/x-www-form-urlencoded", "text/csv"]
    )
    def test_another_kind_of_body_is_refused(self, shared_client: TestClient, kind: str) -> None:
        answer = shared_client.post(
            "/datasets", content=b"name=a", headers={"Content-Type": kind} if kind else {}
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")

    def test_a_packed_body_is_refused(self, shared_client: TestClient) -> None:
        answer = shared_client.post(
            "/datasets",
            content=zlib.compress(b"{}"),
            headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        )
        assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-encoding")


class TestIdempotencyKey:
    @pytest.mark.parametrize("key", ["", " ", "a" * 256, "caf\xe9", "a\x7f"])
    def test_a_key_that_proxies_would_change_is_refused(
        self, shared_client: TestClient, key: str
    ) -> None:
        answer = shared_client.post(
            "/datasets",
            json={"name": "a", "rows": TEXTS},
            headers={b"Idempotency-Key": key.encode("latin-1")},
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid-idempotency-key")
