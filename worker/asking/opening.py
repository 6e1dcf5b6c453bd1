"""Which desk a job's teacher sits at."""

import asyncio

from pydantic import SecretStr

from core.egress.allow_list import AllowList
from core.errors import ServiceError
from core.lifecycle import PROBED, StopReason, server_name
from llkd.base_models import ModelSource
from llkd.errors import LlkdError
from llkd.specs import (
    EnsembleTeacher,
    LocalTeacher,
    OpenAITeacher,
    ProvidedTeacher,
    SingleTeacher,
)
from llkd.teachers.chat.task import ChatTask
from llkd.teachers.factory import build_teacher
from worker.asking.account import JobAccount
from worker.asking.chat_teacher import PricedChatTeacher
from worker.asking.desk import Desk
from worker.asking.ensemble_desk import EnsembleDesk
from worker.asking.local_desk import LocalDesk
from worker.asking.purse import Purse
from worker.asking.remote_desk import RemoteDesk
from worker.asking.store import AnswerStore
from worker.enough import too_few_labels
from worker.job import Job
from worker.protocol import Json


class TeacherNotAllowed(LlkdError):
    """The operator allows the teacher's address no longer."""

    code = "teacher-url-forbidden"


def open_desk(job: Job, purse: Purse) -> Desk:
    """The job's teacher, or teachers, behind the store of their answers and its budget.

    Raises:
        ModelNotAllowed: a teacher's base model cannot be loaded safely.
        TeacherNotAllowed, RungUnavailable: a server may not be asked, or not as was asked for.
        Park: a server cannot be asked for a while.
        TooFewLabels: the time for labelling was over before a server could be asked at all.
    """
    spec, known = job.spec.teacher, _known(job)
    if isinstance(spec, EnsembleTeacher):
        members = [_open(job, member, purse, known) for member in spec.teachers]
        return EnsembleDesk(members, how=spec.combine, class_count=len(job.spec.labels))
    return _open(job, spec, purse, known)


def _known(job: Job) -> dict[str, Json]:
    """What earlier attempts at the job found that its servers offer."""
    return dict(job.row.progress_detail.get(PROBED, {}))


def _open(job: Job, spec: SingleTeacher, purse: Purse, known: dict[str, Json]) -> Desk:
    if isinstance(spec, OpenAITeacher):
        return _remote_desk(job, spec, purse, known)
    return _local_desk(job, spec, purse)


def _local_desk(job: Job, spec: LocalTeacher, purse: Purse) -> LocalDesk:
    teacher = build_teacher(
        spec,
        labels=job.spec.labels,
        instruction=job.spec.instruction,
        source=ModelSource(job.models_dir, job.assignment.allowed_models),
    )
    store = _store(
        job,
        fingerprint=teacher.fingerprint,
        model=teacher.model,
        reads_provided=isinstance(spec, ProvidedTeacher),
    )
    return LocalDesk(teacher, store=store, purse=purse, labelling_time=job.labelling_time)


def open_in_two_orders(job: Job) -> tuple[RemoteDesk, RemoteDesk]:
    """The job's only teacher, a server, at two desks: at the second, each text's labels come in
    another order and under other codes. Both spend from the job's budget.

    Raises:
        As `open_desk`.
    """
    spec = job.spec.teacher
    assert isinstance(spec, OpenAITeacher), "a report card is about a stored teacher"
    account = JobAccount(job.assignment.claim)
    purse = Purse(job.database, tenant_id=job.tenant_id, account=account)
    known = _known(job)
    first = _remote_desk(job, spec, purse, known)
    try:
        return first, _remote_desk(job, spec, purse, known, turn=1)
    except BaseException:
        first.close()
        raise


def _remote_desk(
    job: Job, spec: OpenAITeacher, purse: Purse, known: dict[str, Json], *, turn: int = 0
) -> RemoteDesk:
    """A desk of its own event loop.

    Args:
        known: what each of the job's servers turned out to offer; this one's is added.
        turn: as in `ChatTask`.
    """
    task = ChatTask(job.spec.labels, job.spec.instruction, spec.examples_per_label, turn)
    key = job.assignment.teacher_keys.get(spec.teacher_id or "")
    name = server_name(spec.base_url, spec.model)
    if name not in known and job.labelling_time.is_over:
        # Whoever was never probed was never asked, and is not to be any more.
        raise too_few_labels(StopReason.TIME, labelled=0)
    runner = asyncio.Runner()
    try:
        teacher = _connected(job, spec, task, runner, key=key, known=known.get(name))
    except BaseException:
        runner.close()
        raise
    known[name] = teacher.probed.to_json()
    job.progress.note(PROBED, dict(known))
    store = _store(job, fingerprint=teacher.teacher.fingerprint, model=teacher.teacher.model)
    return RemoteDesk(
        teacher,
        store=store,
        purse=purse,
        labelling_time=job.labelling_time,
        runner=runner,
        is_stopping=lambda: job.stop.requested,
    )


def _connected(
    job: Job,
    spec: OpenAITeacher,
    task: ChatTask,
    runner: asyncio.Runner,
    *,
    key: str | None,
    known: Json | None,
) -> PricedChatTeacher:
    try:
        return runner.run(
            PricedChatTeacher.connect(
                spec,
                task,
                allow_list=AllowList.parse(job.assignment.teacher_hosts),
                key=None if key is None else SecretStr(key),
                known=known,
            )
        )
    except ServiceError as error:
        raise TeacherNotAllowed(error.detail) from error


def _store(job: Job, *, fingerprint: str, model: str, reads_provided: bool = False) -> AnswerStore:
    return AnswerStore(
        job.database,
        tenant_id=job.tenant_id,
        job_id=job.row.id,
        fingerprint=fingerprint,
        model=model,
        reads_provided=reads_provided,
        labels=job.spec.label_names,
    )
