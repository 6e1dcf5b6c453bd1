"""Stored teachers, their tests, and their report cards."""

from datetime import datetime

from llkd_client.shapes.base import Json, Shape


class TeacherTest(Shape):
    """One call, made now: whether the teacher answers, and how."""

    ok: bool
    tested_at: datetime
    reachable: bool
    status: int | None = None
    model: str | None = None
    rung: str | None = None
    latency_ms: float | None = None
    failure: Json | None = None


class Teacher(Shape):
    """A connection to a language model. Its key is never told again."""

    id: str
    name: str
    base_url: str
    model: str
    has_key: bool = False
    key_last4: str | None = None
    prices: Json | None = None
    last_test: TeacherTest | None = None
    created_at: datetime


class ReportCard(Shape):
    """A teacher on some texts; `card` is None until its job has ended."""

    job_id: str
    teacher_id: str
    model: str
    dataset_id: str
    state: str
    card: Json | None = None
    error: Json | None = None


class ReportCards(Shape):
    same_texts: bool
    data: list[ReportCard]
