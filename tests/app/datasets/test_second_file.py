"""A second file's answers find their texts, and none is lost without a word."""

import json
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from app.datasets.errors import EmptyDataset, MalformedRow
from app.datasets.ingest_child import ISSUES, ROWS, ingest
from app.datasets.options import Columns, Format, OnBadRow, ReadOptions, SourceFile
from core.dataset_files import read_page
from tests.app.datasets.files import TEXTS, csv_file, parquet_file, upload

ANSWERS = Columns("text", teacher_label="guess", teacher_votes="votes")
ROW = st.tuples(
    st.sampled_from([*TEXTS[:3], "  text number 1 ", "elsewhere", "", None]),
    st.sampled_from([None, "", "x", "y", "x\n y"]),
    st.sampled_from([None, ["x", "y"], {"x": 0.5}]),
)


def read_both(
    folder: Path, lines: list[str], *, on_bad_row: OnBadRow = OnBadRow.FAIL
) -> dict[str, Any]:
    """Read TEXTS with these lines as their answers; returns the statistics."""
    texts, answers = folder / "source", folder / "answers"
    texts.write_bytes(csv_file())
    answers.write_text("\n".join(lines))
    options = ReadOptions(Format.JSONL, ANSWERS, on_bad_row=on_bad_row)
    return ingest(
        texts,
        folder,
        ReadOptions(Format.CSV, ANSWERS.texts_alone()),
        answers=SourceFile(answers, options),
    )


class TestIngest:
    @settings(max_examples=60)
    @given(rows=st.lists(ROW, max_size=12))
    def test_every_answer_is_counted_exactly_once(self, rows: list[tuple[Any, ...]]) -> None:
        # One row has both columns, so that the file has them.
        everything = [("text number 39", "z", ["z"]), *rows]
        lines = [
            json.dumps(dict(zip(("text", "guess", "votes"), row, strict=True)))
            for row in everything
        ]
        with tempfile.TemporaryDirectory() as name:
            counted = read_both(Path(name), lines)
            kept = read_page(Path(name) / ROWS, offset=0, limit=100)
            issues = read_page(Path(name) / ISSUES, offset=0, limit=100)
        second = counted["answers"]
        assert second["rows"] == len(everything)
        assert second["rows"] == second["matched"] + second["repeated"] + second["set_aside"]
        assert counted["teacher_answers"] == second["matched"]
        given_answers = [row for row in kept if row["teacher_label"] or row["teacher_votes"]]
        assert len(given_answers) == second["matched"]
        assert Counter(issue["code"] for issue in issues) == second["set_aside_by_code"]
        assert {issue["part"] for issue in issues} <= {"answers"}
        assert counted["rows"] == counted["unique"] == len(TEXTS)

    def test_what_is_set_aside_is_told_with_its_line(self, tmp_path: Path) -> None:
        lines = [
            '{"text": "text number 5", "guess": "a"}',
            '{"text": " text number 5", "guess": "b"}',
            '{"text": "text number 5", "guess": "a"}',
            '{"text": "elsewhere", "guess": "a"}',
            '{"text": "text number 6", "guess": ""}',
            '{"text": "text number 7", "guess": "a", "votes": "a"}',
            "{",
            '{"text": "", "guess": "a"}',
        ]
        counted = read_both(tmp_path, lines, on_bad_row=OnBadRow.SKIP)
        found = read_page(tmp_path / ISSUES, offset=0, limit=10)
        assert [(issue["line"], issue["code"]) for issue in found] == [
            (5, "no-answer"),
            (6, "bad-teacher-answer"),
            (7, "malformed-row"),
            (8, "empty-text"),
            (2, "another-answer"),
            (4, "text-not-there"),
        ]
        assert found[4]["message"].startswith("line 1 ")
        assert counted["answers"] == {
            "rows": 8,
            "matched": 1,
            "repeated": 1,
            "set_aside": 6,
            "set_aside_by_code": {issue["code"]: 1 for issue in found},
            "ignored": [],
        }

    def test_a_file_without_a_row_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(EmptyDataset, match="'answers'"):
            read_both(tmp_path, ["", ""])

    def test_a_refusal_says_which_file_it_is_about(self, tmp_path: Path) -> None:
        with pytest.raises(MalformedRow, match="In 'answers': Line 2: ") as raised:
            read_both(tmp_path, ['{"text": "a", "guess": "a", "votes": ["a"]}', "{"])
        assert [item.pointer for item in raised.value.errors] == ["answers:line:2"]


def answered(client: TestClient, content: bytes = csv_file(), **given: Any) -> Any:
    guesses = "text,id,guess\n" + "".join(f"  {text},7,b\n" for text in TEXTS[:10])
    fields = {"teacher_label_column": "guess", "label_column": "gold", **given}
    return upload(
        client, "a.csv", content, fields=fields, answers=("b.csv", guesses.encode()), key="k"
    )


class TestUploadTwoFiles:
    def test_they_become_one_dataset(self, client: TestClient) -> None:
        texts = ("text,gold,guess\n" + "".join(f"{text},g,own\n" for text in TEXTS)).encode()
        answer = answered(client, texts)
        made = answer.json()
        assert answer.status_code == 201, made
        assert made["columns"]["teacher_label"] == "guess"
        # What the first file says of its own in that column is not read.
        assert made["columns"]["ignored"] == ["guess"]
        second = made["statistics"]["answers"]
        assert (second["rows"], second["matched"], second["ignored"]) == (10, 10, ["id"])
        rows = client.get(f"/datasets/{made['id']}/rows", params={"limit": 100}).json()["data"]
        assert [row["teacher_label"] for row in rows] == ["b"] * 10 + [None] * 30
        assert {row["gold"] for row in rows} == {"g"}

    def test_both_are_known_by_their_digests_and_count_by_their_size(
        self, client: TestClient
    ) -> None:
        texts = ("text,gold\n" + "".join(f"{text},g\n" for text in TEXTS)).encode()
        alone = upload(client, "a.csv", texts, fields={"label_column": "gold"}).json()
        both = answered(client, texts).json()
        assert both["source_sha256"] == alone["source_sha256"]
        assert both["statistics"]["answers"]["source_sha256"] != alone["source_sha256"]
        assert both["size_bytes"] > alone["size_bytes"] == len(texts)

    def test_the_second_file_is_part_of_the_request(self, client: TestClient) -> None:
        texts = ("text,gold\n" + "".join(f"{text},g\n" for text in TEXTS)).encode()
        assert answered(client, texts).status_code == 201
        assert answered(client, texts).headers["Idempotent-Replayed"] == "true"
        alone = upload(client, "a.csv", texts, fields={"label_column": "gold"}, key="k")
        assert (alone.status_code, alone.json()["code"]) == (422, "idempotency-mismatch")

    def test_the_two_may_have_different_formats(self, client: TestClient) -> None:
        votes = parquet_file({"text": TEXTS, "votes": [["a", "b", "a"]] * len(TEXTS)})
        fields = {"teacher_votes_column": "votes"}
        made = upload(client, "a.csv", csv_file(), fields=fields, answers=("b.parquet", votes))
        statistics = made.json()["statistics"]
        assert statistics["teacher_answers"] == statistics["answers"]["matched"] == len(TEXTS)
