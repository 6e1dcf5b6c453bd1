"""How a job's rows are told: one page that maps columns to the contract."""

from collections.abc import Mapping
from typing import Any

from app.jobs.schemas import EventRead, JobRead, Progress, StageRead, TeacherCounts, Usage, Waiting
from core.db.tables import JobEventRow, JobRow, JobStageRow
from core.ids import JobId
from core.lifecycle import JobState, Purpose, Stage, StopReason, why_cut_short
from core.prices import MICROS
from llkd.specs import AnswerSpec

Json = dict[str, Any]
POLL_QUEUED_SECONDS = 2
LONGEST_POLL_SECONDS = 10

# What a replay may have of its own.
REPLAYABLE = ("confidence", "student", "selection", "training")

UNFINISHED = {
    JobState.QUEUED: "waiting",
    JobState.RUNNING: "running",
    JobState.FAILED: "failed",
    JobState.CANCELLED: "cancelled",
}


def tell_job(
    row: JobRow, *, done: Mapping[Stage, JobStageRow], begun: JobEventRow | None
) -> JobRead:
    """A job as the API shows it.

    Args:
        done: the stages that are finished.
        begun: the latest `stage.started` event.
    """
    result = row.result or {}
    return JobRead(
        id=row.id,
        object="job",
        name=row.name,
        purpose=Purpose(row.purpose),
        dataset_id=row.dataset_id,
        state=row.state,
        stage=None if row.stage is None else Stage(row.stage),
        attempt=row.attempt,
        cancel_requested_at=row.cancel_at,
        waiting=_waiting(row),
        progress=_progress(row),
        stages=_stages(row, done=done, begun=begun),
        usage=_usage(row),
        metrics=done[Stage.EVALUATE].output["metrics"] if Stage.EVALUATE in done else {},
        model_id=result.get("model_id"),
        stop_reason=tell_stop_reason(done),
        error=row.error,
        request=tell_request(row),
        from_job=row.from_job_id,
        retry_of=row.retry_of_id,
        metadata=row.labels_metadata,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def tell_request(row: JobRow) -> Json:
    """What was asked, with every default filled in: a body that asks for the same again."""
    if row.purpose == Purpose.PREDICT:
        return tell_prediction_request(row)
    if row.from_job_id is not None:
        return {
            "from_job": row.from_job_id,
            "name": row.name,
            "parent_model": row.parent_model_id,
            "corrections": row.corrections or [],
            **{part: row.spec[part] for part in REPLAYABLE if part in row.spec},
            "metadata": row.labels_metadata,
            "priority": row.priority,
        }
    return tell_whole_request(row)


def tell_whole_request(row: JobRow) -> Json:
    """What was asked, or what a replay comes to: everything that the job was made from."""
    return {
        "name": row.name,
        "dataset_id": row.dataset_id,
        "parent_model": row.parent_model_id,
        **row.spec,
        "evaluation": {"dataset_id": row.evaluation_dataset_id},
        "budget": {
            "max_usd": None if row.cap_micros is None else row.cap_micros / MICROS,
            "max_teacher_calls": row.cap_calls,
            "max_wall_seconds": row.max_wall_seconds,
        },
        "metadata": row.labels_metadata,
        "priority": row.priority,
    }


def tell_prediction_request(row: JobRow) -> Json:
    """What was asked of a model: the request, with its reference resolved."""
    return {
        "name": row.name,
        "model": row.spec["model_id"],
        "dataset_id": row.dataset_id,
        **{part: row.spec[part] for part in AnswerSpec.model_fields},
        "max_wall_seconds": row.max_wall_seconds,
        "metadata": row.labels_metadata,
        "priority": row.priority,
    }


def tell_event(row: JobEventRow) -> EventRead:
    return EventRead(
        id=str(row.seq),
        object="event",
        type=row.type,
        job_id=JobId(row.job_id),
        at=row.at,
        data=row.data,
    )


def retry_after(state: JobState, eta_seconds: float | None) -> dict[str, str]:
    """When to ask again: soon for what changes soon; no header once the job has ended."""
    if state.is_terminal:
        return {}
    if eta_seconds is None:
        return {"Retry-After": str(POLL_QUEUED_SECONDS)}
    wait = min(LONGEST_POLL_SECONDS, max(1, eta_seconds / 20))
    return {"Retry-After": str(round(wait))}


def tell_stop_reason(done: Mapping[Stage, JobStageRow]) -> StopReason | None:
    """Why training ended, or None before it has; of a job that was cut short, what by."""
    if Stage.TRAIN not in done:
        return None
    cut_short = why_cut_short(done[Stage.LABEL].output)
    return cut_short or StopReason(done[Stage.TRAIN].output["stop_reason"])


def teacher_counts(counts: Json) -> TeacherCounts:
    """The worker's counts; null for what it has not counted yet."""
    return TeacherCounts(**{name: counts.get(name) for name in TeacherCounts.model_fields})


def _waiting(row: JobRow) -> Waiting | None:
    if row.state is not JobState.QUEUED or row.parked is None or row.parked_since is None:
        return None
    return Waiting(
        code=row.parked["code"],
        detail=row.parked["detail"],
        since=row.parked_since,
        until=row.run_at,
    )


def _progress(row: JobRow) -> Progress:
    detail = row.progress_detail
    succeeded = row.state is JobState.SUCCEEDED
    return Progress(
        percent=100.0 if succeeded else detail.get("percent", 0.0),
        # What was forecast says nothing of a job that nobody works on.
        eta_seconds=detail.get("eta_seconds") if row.state is JobState.RUNNING else None,
        rows=detail.get("rows"),
        teacher=teacher_counts(detail.get("teacher") or {}),
        step=detail.get("step"),
        steps=detail.get("steps"),
        optimizer_steps=detail.get("optimizer_steps"),
        selected=detail.get("selected"),
        selected_fraction=detail.get("selected_fraction"),
    )


def _stages(
    row: JobRow, *, done: Mapping[Stage, JobStageRow], begun: JobEventRow | None
) -> list[StageRead]:
    told = [
        StageRead(
            name=stage,
            state="succeeded",
            started_at=done[stage].started_at,
            finished_at=done[stage].finished_at,
        )
        for stage in Stage
        if stage in done
    ]
    current = None if begun is None else Stage(begun.data["stage"])
    if begun is not None and current is not None and current not in done:
        state = UNFINISHED[row.state]
        ended = row.finished_at if row.state.is_terminal else None
        told.append(
            StageRead.model_validate(
                {"name": current, "state": state, "started_at": begun.at, "finished_at": ended}
            )
        )
    return told


def _usage(row: JobRow) -> Usage:
    tokens = row.progress_detail.get("tokens") or {}
    return Usage(
        input_tokens=tokens.get("input"),
        output_tokens=tokens.get("output"),
        cost_usd=row.spent_micros / MICROS,
        teacher_calls=row.spent_calls,
    )
