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
    key: str | None = None,
) -> httpx2.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/datasets", files={"file": (name, content)}, data=fields, headers=headers)
