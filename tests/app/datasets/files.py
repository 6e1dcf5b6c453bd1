"""Files to upload, made from few words."""

import gzip
import io
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import pyarrow as pa
import pyarrow.parquet as pq
from fastapi.testclient import TestClient

MIB = 1024 * 1024
ENOUGH = 40
TEXTS = [f"text number {number}" for number in range(ENOUGH)]
# The statistics of a dataset whose file need not exist.
COUNTED = {
    "rows": 1,
    "unique": 1,
    "duplicates": 0,
    "set_aside": 0,
    "set_aside_by_code": {},
    "values_dropped_by_code": {},
    "characters": {"min": 1, "median": 1, "p95": 1, "max": 1, "mean": 1},
    "gold": None,
    "gold_conflicts": 0,
    "teacher_answers": 0,
    "columns": {
        "text": "text",
        "label": None,
        "teacher_label": None,
        "teacher_confidence": None,
        "teacher_probabilities": None,
        "ignored": [],
    },
}


def csv_file(texts: Sequence[str] = TEXTS, *, header: str = "text", end: str = "\n") -> bytes:
    """One column of texts that need no quotes."""
    return (end.join([header, *texts]) + end).encode()


def jsonl_file(lines: Sequence[str]) -> bytes:
    """Good lines around the given ones, which begin at line 1."""
    good = [f'{{"text": "{text}"}}' for text in TEXTS]
    return ("\n".join([*lines, *good]) + "\n").encode("utf-8", "surrogatepass")


def parquet_file(columns: Mapping[str, Any] | None = None, **options: Any) -> bytes:
    table = pa.table(columns if columns is not None else {"text": TEXTS})
    written = io.BytesIO()
    pq.write_table(table, written, **options)
    return written.getvalue()


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def upload(
    client: TestClient,
    name: str,
    content: bytes,
    *,
    fields: Mapping[str, str] | None = None,
    answers: tuple[str, bytes] | None = None,
    key: str | None = None,
) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    files = {"file": (name, content)} | ({} if answers is None else {"answers": answers})
    return client.post("/datasets", files=files, data=fields, headers=headers)
