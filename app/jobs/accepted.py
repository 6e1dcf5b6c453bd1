"""How a job that was queued is answered for."""

from typing import Any

from starlette.responses import Response

from app.idempotency import REPLAYED
from app.jobs.prediction_schemas import PredictionJobRead
from app.jobs.schemas import JobRead
from app.jobs.view import retry_after

ACCEPTED: dict[int | str, dict[str, Any]] = {
    202: {"description": "Queued; `Location` is where to follow it."}
}


def accepted(job: JobRead | PredictionJobRead, *, location: str, is_replay: bool) -> Response:
    """202 with where to follow it, when to look, and whether an earlier request had made it."""
    wait = retry_after(job.state, job.progress.eta_seconds)
    return Response(
        job.model_dump_json(),
        status_code=202,
        media_type="application/json",
        headers={"Location": location, **wait, **(REPLAYED if is_replay else {})},
    )
