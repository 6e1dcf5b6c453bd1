"""/teachers."""

from collections.abc import Sequence
from typing import Any

from llkd_client.following import pages
from llkd_client.operations import Core, Items, Operation
from llkd_client.requests import Repeat, Request, creating, given, path_of
from llkd_client.shapes.teachers import ReportCard, ReportCards, Teacher, TeacherTest


def create(
    core: Core,
    /,
    *,
    name: str,
    base_url: str,
    model: str,
    key: str | None = None,
    idempotency_key: str | None = None,
    **settings: Any,
) -> Operation[Teacher]:
    """Store a connection to a server that speaks OpenAI's chat completions.

    Args:
        key: of that server; kept sealed, and never told again.
        settings: `concurrency`, `requests_per_minute`, `prices` …
    """
    body = given(name=name, base_url=base_url, model=model, key=key, **settings)
    return core.fetch(Teacher, creating("/teachers", body, key=idempotency_key))


def list_teachers(core: Core, /, *, limit: int | None = None) -> Items[Teacher]:
    return pages(core, Teacher, "/teachers", limit=limit)


def get(core: Core, /, teacher_id: str) -> Operation[Teacher]:
    return core.fetch(Teacher, Request("GET", path_of("teachers", teacher_id)))


def update(core: Core, /, teacher_id: str, **changes: Any) -> Operation[Teacher]:
    """Change its name, key or limits; None takes a limit away."""
    return core.fetch(Teacher, Request("PATCH", path_of("teachers", teacher_id), body=changes))


def test(core: Core, /, teacher_id: str) -> Operation[TeacherTest]:
    """Ask it once. It is never asked twice, whatever becomes of the connection."""
    path = path_of("teachers", teacher_id, "test")
    return core.fetch(TeacherTest, Request("POST", path, repeat=Repeat.NEVER))


def delete(core: Core, /, teacher_id: str) -> Operation[None]:
    return core.do(Request("DELETE", path_of("teachers", teacher_id)))


def report_card(
    core: Core, /, teacher_id: str, *, idempotency_key: str | None = None, **request: Any
) -> Operation[ReportCard]:
    """Have it answer some texts twice; takes `dataset_id`, `labels`, `rows`, `budget`."""
    path = path_of("teachers", teacher_id, "report-card")
    return core.fetch(ReportCard, creating(path, request, key=idempotency_key))


def report_cards(core: Core, /, job_ids: Sequence[str]) -> Operation[ReportCards]:
    """Report cards side by side, by the ids of their jobs."""
    query = {"ids": ",".join(job_ids)}
    return core.fetch(ReportCards, Request("GET", "/teachers/report-cards", query=query))
