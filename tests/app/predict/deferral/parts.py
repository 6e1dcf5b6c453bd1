"""Models whose job asked a teacher server, and a deferral to that server."""

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import select

from app.predict.deferral.deferral import Deferral
from app.predict.deferral.outcome import Deferred
from core.db.repositories.deferrals import DeferralRepository
from core.db.repositories.models import ModelRepository, NewModel
from core.db.repositories.teachers import key_owner
from core.db.session import Database
from core.db.tables import ModelDeferralRow, TeacherAnswerRow, TeacherRow
from core.egress.allow_list import AllowList
from core.ids import JobId, ModelId, TenantId
from core.lifecycle import PROBED, JobState
from core.secrets import Vault, parse_secret_keys
from llkd.specs import DistillationSpec
from llkd.teachers.chat.probed import Probed
from llkd.teachers.chat.rungs.logprobs import TopLogprobs
from tests.factories import TENANT, make_job, make_teacher

Json = dict[str, Any]
LABELS = ("billing", "tech", "delivery")
MODEL = "small"
# A millionth of a dollar a token: what `tests.fault_server` answers with costs 101 of them.
PRICES = {"input_usd_per_million": 1.0, "output_usd_per_million": 1.0}
MICROS_AN_ANSWER = 101
VAULT = Vault(parse_secret_keys([SecretStr("k:" + base64.b64encode(b"k" * 32).decode())]))
KNOWN = Probed(TopLogprobs()).to_json()


def spec_of(url: str, **teacher: Any) -> Json:
    """A job's spec, as it is stored."""
    asked = {"kind": "openai", "base_url": url, "model": MODEL, "prices": PRICES} | teacher
    spec = {"labels": [{"name": name} for name in LABELS], "teacher": asked}
    return DistillationSpec.model_validate(spec).resolved().model_dump(mode="json")


def add_model(
    database: Database,
    url: str,
    *,
    known: Json | None = KNOWN,
    spec: Json | None = None,
    from_job: JobId | None = None,
    tenant: TenantId = TENANT,
    name: str = "tickets",
    **teacher: Any,
) -> ModelId:
    """A model that a job made with this server as its teacher."""
    detail = {} if known is None else {PROBED: {f"{url} {MODEL}": known}}
    with database.write() as session:
        job = make_job(
            session,
            state=JobState.SUCCEEDED,
            spec=spec or spec_of(url, **teacher),
            progress_detail=detail,
            from_job_id=from_job,
            tenant_id=tenant,
        )
        new = NewModel(
            name=name,
            job_id=job.id,
            artifact="0" * 64,
            labels=list(LABELS),
            base_model="tiny",
            metrics={},
            export={},
            size_bytes=1,
        )
        return ModelRepository(session).register(tenant, new).id


def job_of(database: Database, model: ModelId) -> JobId:
    with database.read() as session:
        row = ModelRepository(session).get(TENANT, model)
    assert row is not None
    return row.job_id


def add_teacher(database: Database, url: str, key: str) -> str:
    """A stored connection with this key; its id."""
    with database.write() as session:
        row = make_teacher(session, base_url=url, model=MODEL)
        row.sealed_key = sealed(row, key)
        return row.id


def sealed(row: TeacherRow, key: str) -> Json:
    return dict(VAULT.seal(SecretStr(key), owner=key_owner(row)).to_json())


def switch_on(database: Database, model: ModelId, **caps: int | None) -> None:
    with database.write() as session:
        DeferralRepository(session).switch_on(
            TENANT, model, **{"cap_micros": None, "cap_calls": None} | caps
        )


def given(database: Database, url: str, *, caps: Json | None = None, **teacher: Any) -> ModelId:
    """A model for which deferral is switched on."""
    model = add_model(database, url, **teacher)
    switch_on(database, model, **caps or {})
    return model


def make_deferral(database: Database, url: str, *, seconds: float = 10.0) -> Deferral:
    """A deferral of a process of its own, whose operator has named this server."""
    host = f"http://{urlsplit(url).netloc}"
    return Deferral(database, allow_list=AllowList.parse([host]), vault=VAULT, seconds=seconds)


@asynccontextmanager
async def deferring(
    database: Database, url: str, *, seconds: float = 10.0
) -> AsyncIterator[Deferral]:
    """The same, until the block ends."""
    deferral = make_deferral(database, url, seconds=seconds)
    try:
        yield deferral
    finally:
        await deferral.close()


def statuses(answers: Sequence[Deferred]) -> list[str]:
    return [answer.status.value for answer in answers]


def figures(database: Database, model: ModelId) -> tuple[int, int, int, int]:
    """Spent and held micros, spent and held calls."""
    with database.read() as session:
        row = session.get(ModelDeferralRow, model)
    assert row is not None
    return row.spent_micros, row.held_micros, row.spent_calls, row.held_calls


def stored(database: Database) -> list[TeacherAnswerRow]:
    with database.read() as session:
        return list(session.scalars(select(TeacherAnswerRow)))
