"""Predictions beside their texts: a whole file in one of three formats."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from sqlalchemy.orm import Session

from app.jobs import exports
from app.jobs.errors import PredictionsNotReady
from app.jobs.finished import finished_stages
from app.jobs.label_schemas import ExportFormat
from app.jobs.predictions import find_prediction_job
from app.jobs.safe_csv import escape_formulas
from app.jobs.service import find_rows
from core import dataset_files, prediction_files
from core.artifacts import ArtifactStore
from core.errors import Gone
from core.ids import TenantId
from core.lifecycle import Stage

Entry = dict[str, Any]
CSV_COLUMNS = (
    "index",
    "line",
    "copies",
    "text",
    "label",
    "score",
    "abstained",
    "truncated",
    "empty_input",
)
EXPORT_SCHEMA = pa.schema(
    [
        # Place of the text in the dataset, from 0.
        ("index", pa.int64()),
        # Where it first stood in the uploaded file, and how often it was there.
        ("line", pa.int64()),
        ("copies", pa.int32()),
        ("text", pa.string()),
        *prediction_files.PREDICTIONS_SCHEMA,
    ]
)


@dataclass(frozen=True)
class PredictedFiles:
    """The two files that are read side by side."""

    rows: Path
    predictions: Path


def find_files(
    session: Session, artifacts: ArtifactStore, tenant: TenantId, job_id: str
) -> PredictedFiles:
    """Where a prediction job's texts and answers stand.

    Raises:
        NotFound: no such job.
        PredictionsNotReady: it has not ended yet.
        NoResult: it has, and did not succeed.
        Gone: its dataset was deleted, and with it the texts and the answers to them.
    """
    job = find_prediction_job(session, tenant, job_id)
    done = finished_stages(
        session, job, needed=Stage.PREDICT, result="predictions", not_ready=PredictionsNotReady
    )[Stage.PREDICT]
    files = PredictedFiles(
        rows=find_rows(session, artifacts, job),
        predictions=artifacts.path(done.output["predictions"]),
    )
    if not files.predictions.exists():
        raise Gone("file of predictions", job.id)
    return files


def export(files: PredictedFiles, kind: ExportFormat, *, safe_csv: bool) -> Iterator[bytes]:
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
            return exports.csv(chunks, CSV_COLUMNS, nested="scores", escape=escape)
        case "parquet":
            return exports.parquet(chunks, EXPORT_SCHEMA)


def _chunks(files: PredictedFiles) -> Iterator[list[Entry]]:
    texts = dataset_files.iter_batches(
        files.rows, columns=["line", "copies", "text"], size=exports.CHUNK_ROWS
    )
    answers = prediction_files.iter_predictions(files.predictions, size=exports.CHUNK_ROWS)
    return exports.side_by_side(
        texts, answers, lambda index, row, answer: {"index": index, **row, **answer}
    )
