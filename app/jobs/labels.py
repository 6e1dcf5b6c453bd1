"""Pseudo-labels beside their texts: a page, or a whole file in one of three formats."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy.orm import Session

from app.jobs import exports
from app.jobs.errors import LabelsNotReady
from app.jobs.finished import finished_stages
from app.jobs.label_schemas import ExportFormat, LabelledBy, LabelRead
from app.jobs.safe_csv import escape_formulas
from app.jobs.service import find_job, find_rows
from core import dataset_files, label_files
from core.artifacts import ArtifactStore
from core.ids import TenantId
from core.lifecycle import Stage

CSV_COLUMNS = (
    "index",
    "text",
    "role",
    "status",
    "label",
    "confidence",
    "confidence_source",
    "calibration_id",
    "labelled_by",
)
EXPORT_SCHEMA = pa.schema(
    [
        ("index", pa.int64()),
        ("text", pa.string()),
        ("role", pa.string()),
        ("status", pa.string()),
        ("label", pa.string()),
        ("confidence", pa.float64()),
        ("confidence_source", pa.string()),
        ("probabilities", pa.map_(pa.string(), pa.float64())),
        ("cached", pa.bool_()),
        ("calibration_id", pa.string()),
        ("labelled_by", pa.string()),
    ]
)


@dataclass(frozen=True)
class LabelledFiles:
    """The two files that are read side by side, and the labels' names in order."""

    rows: Path
    labels: Path
    names: tuple[str, ...]


def find_files(
    session: Session, artifacts: ArtifactStore, tenant: TenantId, job_id: str
) -> LabelledFiles:
    """Where a job's texts and pseudo-labels stand.

    Raises:
        NotFound: no such job.
        LabelsNotReady: its label stage is not done yet.
        NoResult: it never will be.
        Gone: its dataset was deleted, and the texts with it.
    """
    job = find_job(session, tenant, job_id)
    done = finished_stages(
        session, job, needed=Stage.LABEL, result="labels", not_ready=LabelsNotReady
    )[Stage.LABEL]
    return LabelledFiles(
        rows=find_rows(session, artifacts, job),
        labels=artifacts.path(done.output["labels"]),
        names=tuple(label["name"] for label in job.spec["labels"]),
    )


def read_page(files: LabelledFiles, *, start: int, limit: int) -> dict[str, Any]:
    """Entries from `start` on, at most `limit`."""
    rows = dataset_files.read_page(files.rows, offset=start, limit=limit)
    labels = label_files.read_page(files.labels, offset=start, limit=limit)
    shown = [
        LabelRead(**_entry(row["index"], row, label, files.names))
        for row, label in zip(rows, labels, strict=True)
    ]
    total = dataset_files.count_rows(files.labels)
    return {
        "object": "list",
        "data": shown,
        "has_more": start + len(shown) < total,
        "first_id": str(shown[0].index) if shown else None,
        "last_id": str(shown[-1].index) if shown else None,
    }


def export(files: LabelledFiles, kind: ExportFormat, *, safe_csv: bool) -> Iterator[bytes]:
    """The whole file, a thousand entries at a time.

    Args:
        safe_csv: whether CSV cells that a spreadsheet would calculate are defused; other
            formats are always exact.
    """
    chunks = _chunks(files)
    match kind:
        case "jsonl":
            return exports.jsonl(chunks)
        case "csv":
            escape = escape_formulas if safe_csv else str
            return exports.csv(chunks, CSV_COLUMNS, nested="probabilities", escape=escape)
        case "parquet":
            return exports.parquet(map(_with_pairs, chunks), EXPORT_SCHEMA)


def _with_pairs(chunk: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The entries as Parquet's maps are written: lists of pairs."""
    return [entry | {"probabilities": _pairs(entry)} for entry in chunk]


def _pairs(entry: Mapping[str, Any]) -> list[tuple[str, float]] | None:
    probabilities = entry["probabilities"]
    return None if probabilities is None else list(probabilities.items())


def _chunks(files: LabelledFiles) -> Iterator[list[dict[str, Any]]]:
    texts = dataset_files.iter_batches(files.rows, columns=["text"], size=exports.CHUNK_ROWS)
    labels = label_files.iter_labels(files.labels, size=exports.CHUNK_ROWS)
    return exports.side_by_side(
        texts, labels, lambda index, row, label: _entry(index, row, label, files.names)
    )


def _entry(
    index: int, row: Mapping[str, Any], label: Mapping[str, Any], names: tuple[str, ...]
) -> dict[str, Any]:
    probabilities = label["probabilities"]
    return {
        "index": index,
        "text": row["text"],
        "role": label["role"],
        "status": label["status"],
        "label": label["label"],
        "confidence": label["confidence"],
        "confidence_source": label["confidence_source"],
        "probabilities": None
        if probabilities is None
        else dict(zip(names, probabilities, strict=True)),
        "cached": label["cached"],
        "calibration_id": label["calibration_id"],
        "labelled_by": _labelled_by(label),
    }


def _labelled_by(label: Mapping[str, Any]) -> LabelledBy | None:
    if label["label"] is None:
        return None
    return "person" if label_files.is_persons(label) else "teacher"
