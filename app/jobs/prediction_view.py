"""How a prediction job's rows are told."""

from collections.abc import Mapping
from typing import Any

from app.jobs.prediction_schemas import (
    LabelRows,
    PredictionCounts,
    PredictionJobRead,
    PredictionProgress,
)
from core.db.tables import JobRow, JobStageRow
from core.lifecycle import JobState, Stage

Json = dict[str, Any]


def tell_prediction_job(row: JobRow, done: Mapping[Stage, JobStageRow]) -> PredictionJobRead:
    """A prediction job as the API shows it.

    Args:
        done: the stages that are finished.
    """
    spec = row.spec
    output = done[Stage.PREDICT].output if Stage.PREDICT in done else None
    return PredictionJobRead(
        id=row.id,
        object="prediction_job",
        name=row.name,
        model=spec["reference"],
        model_id=spec["model_id"],
        dataset_id=row.dataset_id,
        top_k=spec["top_k"],
        threshold=spec["threshold"],
        on_low_confidence=spec["on_low_confidence"],
        state=row.state,
        attempt=row.attempt,
        cancel_requested_at=row.cancel_at,
        progress=_progress(row, output),
        counts=_counts((row.progress_detail if output is None else output).get("counts")),
        error=row.error,
        max_wall_seconds=row.max_wall_seconds,
        metadata=row.labels_metadata,
        priority=row.priority,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _progress(row: JobRow, output: Json | None) -> PredictionProgress:
    detail = row.progress_detail
    return PredictionProgress(
        percent=100.0 if row.state is JobState.SUCCEEDED else detail.get("percent", 0.0),
        # What was forecast says nothing of a job that nobody works on.
        eta_seconds=detail.get("eta_seconds") if row.state is JobState.RUNNING else None,
        rows_done=detail.get("rows", 0) if output is None else output["rows"],
        rows=row.spec["rows"],
    )


def _counts(found: Json | None) -> PredictionCounts | None:
    if found is None:
        return None
    # A JSON object has no order: by how many there are, and then by name.
    commonest = sorted(found["labels"].items(), key=lambda pair: (-pair[1], pair[0]))
    labels = [LabelRows(label=label, rows=rows) for label, rows in commonest]
    return PredictionCounts.model_validate(found | {"labels": labels})
