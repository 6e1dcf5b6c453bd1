"""What an upload becomes."""

import gzip
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from fastapi.testclient import TestClient

from app.datasets import service
from app.datasets.ingest import run_ingest
from app.datasets.options import Format, ReadOptions
from app.datasets.receiving import Upload
from app.datasets.upload import Received
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from tests.app.datasets.files import TEXTS, csv_file, parquet_file, upload
from tests.factories import TENANT


def texts_of(client: TestClient, dataset_id: str) -> list[dict[str, Any]]:
    """Every text of a dataset, page by page."""
    found: list[dict[str, Any]] = []
    after = None
    while True:
        asked = {"limit": 30} | ({} if after is None else {"after": after})
        page = client.get(f"/datasets/{dataset_id}/rows", params=asked).json()
        found += page["data"]
        if not page["has_more"]:
            return found
        after = page["last_id"]


LABELLED = (
    "id,body,label,guess,sure,scores\n"
    '1, first ,a,b,0.9,"{""a"": 0.1, ""b"": 0.9}"\n'
    "2,second,,a,0.5,\n"
    "3,first,b,a,0.7,\n"
    "4,third,c,a,high,\n"
    "5,,c,a,1,\n"
    "6,second,a,,,\n" + "".join(f"{n},text {n},a,,,\n" for n in range(7, 47))
)
COLUMNS = {
    "text_column": "body",
    "label_column": "label",
    "teacher_label_column": "guess",
    "teacher_confidence_column": "sure",
    "teacher_probabilities_column": "scores",
}


class TestUploadAFile:
    def test_the_answer_says_what_was_found(self, client: TestClient) -> None:
        content = LABELLED.encode()
        answer = upload(client, "tickets.csv", content, fields=COLUMNS)
        assert answer.status_code == 201
        made = answer.json()
        assert answer.headers["Location"] == f"/datasets/{made['id']}"
        assert made["object"] == "dataset"
        assert made["name"] == "tickets"
        assert made["size_bytes"] == len(content)
        assert made["source_sha256"] == hashlib.sha256(content).hexdigest()
        assert made["columns"] == {
            "text": "body",
            "label": "label",
            "teacher_label": "guess",
            "teacher_confidence": "sure",
            "teacher_probabilities": "scores",
            "teacher_votes": None,
            "ignored": ["id"],
        }
        assert made["statistics"] == {
            "rows": 46,
            "unique": 43,
            "duplicates": 2,
            "set_aside": 1,
            "set_aside_by_code": {"empty-text": 1},
            "values_dropped_by_code": {"bad-teacher-answer": 1, "another-answer": 1},
            "characters": {"min": 5, "median": 7.0, "p95": 7.0, "max": 7, "mean": 6.81},
            "gold": {"a": 42, "c": 1},
            "gold_conflicts": 1,
            "teacher_answers": 2,
            "answers": None,
        }
        assert client.get(answer.headers["Location"]).json() == made

    def test_a_text_keeps_its_first_line_label_and_answer(self, client: TestClient) -> None:
        made = upload(client, "a.csv", LABELLED.encode(), fields=COLUMNS).json()
        first, second, third, *_ = texts_of(client, made["id"])
        assert first == {
            "index": 0,
            "line": 2,
            "text": "first",
            "copies": 2,
            "gold": "a",
            "teacher_label": "b",
            "teacher_confidence": 0.9,
            "teacher_probabilities": {"a": 0.1, "b": 0.9},
            "teacher_votes": None,
        }
        # Its first copy has no label; a later one does.
        assert (second["copies"], second["gold"], second["teacher_label"]) == (2, "a", "a")
        # A confidence that is no number takes the whole answer with it, and nothing else.
        assert (third["gold"], third["teacher_label"]) == ("c", None)

    def test_issues_name_line_column_and_reason(self, client: TestClient) -> None:
        made = upload(client, "a.csv", LABELLED.encode(), fields=COLUMNS).json()
        page = client.get(f"/datasets/{made['id']}/issues").json()
        assert page["data"] == [
            {
                "index": 0,
                "line": 5,
                "column": "sure",
                "code": "bad-teacher-answer",
                "message": "a confidence is a number",
                "part": "file",
            },
            {
                "index": 1,
                "line": 6,
                "column": "body",
                "code": "empty-text",
                "message": "the text is empty or only white space",
                "part": "file",
            },
            {
                "index": 2,
                "line": 4,
                "column": "guess",
                "code": "another-answer",
                "message": "line 2 has another answer to this text; the first one counts",
                "part": "file",
            },
        ]

    def test_texts_that_look_the_same_are_one(self, shared_client: TestClient) -> None:
        texts = [*TEXTS, "caf\u00e9", "  cafe\u0301\u00a0"]
        made = upload(shared_client, "a.csv", csv_file(texts)).json()
        assert texts_of(shared_client, made["id"])[-1]["text"] == "caf\u00e9"
        assert texts_of(shared_client, made["id"])[-1]["copies"] == 2

    def test_every_format_of_the_same_texts_gives_the_same_rows(
        self, shared_client: TestClient
    ) -> None:
        lines = "".join(f'{{"text": "{text}"}}\n' for text in TEXTS)
        files = {
            "a.csv": csv_file(),
            "a.tsv.gz": gzip.compress(csv_file()),
            "a.jsonl": lines.encode(),
            "a.txt": "\n".join(TEXTS).encode(),
            "a.parquet": parquet_file(row_group_size=7),
        }
        for name, content in files.items():
            made = upload(shared_client, name, content).json()
            found = texts_of(shared_client, made["id"])
            assert [row["text"] for row in found] == TEXTS
            assert [row["index"] for row in found] == list(range(len(TEXTS)))

    def test_a_text_keeps_its_first_answer_and_others_are_told(
        self, shared_client: TestClient
    ) -> None:
        copies = ["text number 0,", "text number 0,a", "text number 0,a", "text number 0,b"]
        lines = ["text,guess", *copies, *(f"{text},c" for text in TEXTS[1:])]
        fields = {"teacher_label_column": "guess"}
        made = upload(shared_client, "a.csv", "\n".join(lines).encode(), fields=fields).json()
        assert made["statistics"]["teacher_answers"] == len(TEXTS)
        assert made["statistics"]["values_dropped_by_code"] == {"another-answer": 1}
        first, *_ = texts_of(shared_client, made["id"])
        assert (first["line"], first["copies"], first["teacher_label"]) == (2, 4, "a")
        (issue,) = shared_client.get(f"/datasets/{made['id']}/issues").json()["data"]
        assert (issue["line"], issue["column"], issue["code"]) == (5, "guess", "another-answer")
        assert issue["message"].startswith("line 3 ")

    def test_probabilities_that_do_not_sum_to_one_are_no_answer(
        self, shared_client: TestClient
    ) -> None:
        rows = [{"text": text, "p": {"a": 0.5, "b": 0.5}} for text in TEXTS]
        rows[3]["p"] = {"a": 0.5, "b": 0.2}
        content = "\n".join(json.dumps(row) for row in rows).encode()
        fields = {"teacher_probabilities_column": "p"}
        made = upload(shared_client, "a.jsonl", content, fields=fields).json()
        assert made["statistics"]["teacher_answers"] == len(TEXTS) - 1
        (issue,) = shared_client.get(f"/datasets/{made['id']}/issues").json()["data"]
        assert issue == {
            "index": 0,
            "line": 4,
            "column": "p",
            "code": "bad-teacher-answer",
            "message": "the probabilities sum to 0.7, not to 1",
            "part": "file",
        }

    def test_a_vote_that_is_no_text_costs_its_answer_alone(self, shared_client: TestClient) -> None:
        broken = pa.array([b"a", b"\xff"] * (len(TEXTS) // 2)).cast(pa.binary())
        torn = pa.Array.from_buffers(pa.string(), len(broken), broken.buffers())
        offsets = pa.array(range(len(TEXTS) + 1), pa.int32())
        content = parquet_file({"text": TEXTS, "v": pa.ListArray.from_arrays(offsets, torn)})
        fields = {"teacher_votes_column": "v"}
        made = upload(shared_client, "a.parquet", content, fields=fields).json()
        assert made["statistics"]["teacher_answers"] == len(TEXTS) // 2
        assert made["statistics"]["values_dropped_by_code"] == {
            "bad-teacher-answer": len(TEXTS) // 2
        }

    def test_whole_numbers_are_labels_too(self, shared_client: TestClient) -> None:
        content = parquet_file({"text": TEXTS, "label": [n % 2 for n in range(len(TEXTS))]})
        made = upload(shared_client, "a.parquet", content, fields={"label_column": "label"}).json()
        assert made["statistics"]["gold"] == {"0": 20, "1": 20}

    def test_probabilities_may_be_a_parquet_struct(self, shared_client: TestClient) -> None:
        content = parquet_file({"text": TEXTS, "p": [{"a": 0.25, "b": 0.75}] * len(TEXTS)})
        fields = {"teacher_probabilities_column": "p"}
        made = upload(shared_client, "a.parquet", content, fields=fields).json()
        row = texts_of(shared_client, made["id"])[0]
        assert row["teacher_probabilities"] == {"a": 0.25, "b": 0.75}
        assert made["statistics"]["teacher_answers"] == len(TEXTS)

    @pytest.mark.parametrize(
        ("votes", "kind"),
        [
            ([["b", "a", "b"], ["a", "c"]], pa.list_(pa.string())),
            ([["b", "a", "b"], ["a", "c"]], pa.large_list(pa.dictionary(pa.int8(), pa.string()))),
            ([[("a", 1), ("b", 2)], [("a", 1), ("c", 1)]], pa.map_(pa.string(), pa.int64())),
            ([{"a": 1, "b": 2}, {"a": 1, "c": 1}], None),
            (['["b", "a", "b"]', '{"a": 1, "c": 1}'], pa.string()),
        ],
    )
    def test_votes_may_be_lists_or_counts(
        self, shared_client: TestClient, votes: list[Any], kind: pa.DataType | None
    ) -> None:
        column = pa.array(votes * (len(TEXTS) // 2), type=kind)
        content = parquet_file({"text": TEXTS, "v": column})
        fields = {"teacher_votes_column": "v"}
        made = upload(shared_client, "a.parquet", content, fields=fields).json()
        first, second, *_ = texts_of(shared_client, made["id"])
        assert (first["teacher_votes"], second["teacher_votes"]) == (
            {"a": 1, "b": 2},
            {"a": 1, "c": 1},
        )
        assert first["teacher_label"] is None
        assert made["columns"]["teacher_votes"] == "v"
        assert made["statistics"]["teacher_answers"] == len(TEXTS)

    def test_a_file_name_is_shown_and_nothing_more(
        self, shared_client: TestClient, shared_settings: Settings
    ) -> None:
        made = upload(shared_client, "../../\u202eetc\\pass\u200fwd.CSV", csv_file()).json()
        assert made["name"] == "passwd"
        assert not list(shared_settings.data_dir.rglob("*wd*"))

    def test_nothing_temporary_stays_behind(
        self, shared_client: TestClient, shared_settings: Settings
    ) -> None:
        upload(shared_client, "a.csv", csv_file())
        upload(shared_client, "a.csv", b"text\n\xff")
        assert not list((shared_settings.data_dir / "artifacts" / "incoming").iterdir())


class TestSendRows:
    def test_rows_are_texts_or_objects(self, client: TestClient) -> None:
        rows = [
            "plain",
            {"text": "labelled", "label": "a"},
            {"text": "answered", "teacher_label": "b", "teacher_confidence": 0.5},
            {"text": "spread", "teacher_probabilities": {"a": 1, "b": 0}},
            {"text": "voted", "teacher_votes": ["b", "a", "b", None]},
            {"text": None},
            *TEXTS,
        ]
        made = client.post("/datasets", json={"name": "few", "rows": rows}).json()
        assert made["name"] == "few"
        assert made["statistics"]["set_aside_by_code"] == {"null-text": 1}
        assert made["statistics"]["gold"] == {"a": 1}
        plain, labelled, answered, spread, voted, *_ = texts_of(client, made["id"])
        assert (plain["line"], plain["text"], plain["gold"]) == (1, "plain", None)
        assert labelled["gold"] == "a"
        assert (answered["teacher_label"], answered["teacher_confidence"]) == ("b", 0.5)
        assert spread["teacher_probabilities"] == {"a": 1.0, "b": 0.0}
        assert voted["teacher_votes"] == {"a": 1, "b": 2}

    def test_a_lone_surrogate_sets_only_its_row_aside(self, shared_client: TestClient) -> None:
        body = json.dumps({"name": "a", "rows": ["\ud800", *TEXTS]})
        answer = shared_client.post(
            "/datasets", content=body, headers={"Content-Type": "application/json"}
        )
        assert answer.json()["statistics"]["set_aside_by_code"] == {"invalid-unicode": 1}


class TestSendTheSameRequestTwice:
    def test_the_same_body_gives_the_same_dataset(self, client: TestClient) -> None:
        first = upload(client, "a.csv", csv_file(), key="k")
        again = upload(client, "a.csv", csv_file(), key="k")
        assert (first.status_code, again.status_code) == (201, 201)
        assert again.json() == first.json()
        assert "Idempotent-Replayed" not in first.headers
        assert again.headers["Idempotent-Replayed"] == "true"
        assert len(client.get("/datasets").json()["data"]) == 1

    @pytest.mark.parametrize(
        ("content", "fields"),
        [
            (csv_file([*TEXTS, "one more"]), {}),
            (csv_file(), {"on_bad_row": "skip"}),
            (csv_file(), {"name": "b"}),
        ],
    )
    def test_another_body_is_refused(
        self, client: TestClient, content: bytes, fields: dict[str, str]
    ) -> None:
        upload(client, "a.csv", csv_file(), key="k")
        other = upload(client, "a.csv", content, key="k", fields=fields)
        assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")

    def test_a_refused_file_does_not_use_up_its_key(self, shared_client: TestClient) -> None:
        assert upload(shared_client, "a.csv", b"text\n", key="used").status_code == 422
        assert upload(shared_client, "a.csv", csv_file(), key="used").status_code == 201

    def test_a_deleted_dataset_is_not_made_again(self, client: TestClient) -> None:
        made = upload(client, "a.csv", csv_file(), key="k").json()
        client.delete(f"/datasets/{made['id']}")
        again = upload(client, "a.csv", csv_file(), key="k")
        assert (again.status_code, again.json()["code"]) == (410, "gone")

    def test_twins_at_once_make_one_dataset(self, client: TestClient) -> None:
        with ThreadPoolExecutor(4) as pool:
            answers = list(
                pool.map(lambda _: upload(client, "a.csv", csv_file(), key="k"), range(4))
            )
        codes = {answer.status_code for answer in answers}
        assert 201 in codes
        assert codes <= {201, 409}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} <= {
            "idempotency-in-progress"
        }
        assert len(client.get("/datasets").json()["data"]) == 1

    def test_another_process_s_twin_that_was_first_wins(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "source"
        path.write_bytes(csv_file())
        file = Received(path, sha256="1" * 64, size_bytes=path.stat().st_size)
        twin = partial(
            service.make_dataset,
            database,
            ArtifactStore(tmp_path / "artifacts"),
            tenant=TENANT,
            upload=Upload("a", file, ReadOptions(Format.CSV)),
            folder=tmp_path,
            key="k",
            quota=None,
        )
        first: list[str] = []

        def overtaken(*given: Any) -> dict[str, Any]:
            monkeypatch.setattr(service, "run_ingest", run_ingest)
            row, is_replay = twin()
            assert not is_replay
            first.append(row.id)
            return run_ingest(*given)

        monkeypatch.setattr(service, "run_ingest", overtaken)
        row, is_replay = twin()
        assert is_replay
        assert [row.id] == first
