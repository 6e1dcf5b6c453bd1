"""Which desk a job's teacher sits at."""

import asyncio

from pydantic import SecretStr

from core.egress.allow_list import AllowList
from core.errors import ServiceError
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
from worker.asking.chat_teacher import PricedChatTeacher
from worker.asking.desk import Desk
from worker.asking.ensemble_desk import EnsembleDesk
from worker.asking.local_desk import LocalDesk
from worker.asking.purse import Purse
from worker.asking.remote_desk import RemoteDesk
from worker.asking.store import AnswerStore
from worker.job import Job
from worker.protocol import Json

# Where the job's progress keeps what its servers turned out to offer.
PROBED = "probed"


class TeacherNotAllowed(LlkdError):
    """The operator allows the teacher's address no longer."""

    code = "teacher-url-forbidden"


def open_desk(job: Job, purse: Purse) -> Desk:
    """The job's teacher, or teachers, behind the store of their answers and its budget.

    Raises:
        ModelNotAllowed: a teacher's base model cannot be loaded safely.
        TeacherNotAllowed, RungUnavailable: a server may not be asked, or not as was asked for.
        Park: a server cannot be asked for a while.
    """
    spec = job.spec.teacher
    if isinstance(spec, EnsembleTeacher):
        members = [_open(job, member, purse) for member in spec.teachers]
        return EnsembleDesk(members, how=spec.combine, class_count=len(job.spec.labels))
    return _open(job, spec, purse)


def _open(job: Job, spec: SingleTeacher, purse: Purse) -> Desk:
    if isinstance(spec, OpenAITeacher):
        return _remote_desk(job, spec, purse)
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
    return LocalDesk(teacher, store=store, purse=purse)


def _remote_desk(job: Job, spec: OpenAITeacher, purse: Purse) -> RemoteDesk:
    task = ChatTask(job.spec.labels, job.spec.instruction, spec.examples_per_label)
    key = job.assignment.teacher_keys.get(spec.teacher_id or "")
    name = f"{spec.base_url} {spec.model}"
    probed = job.row.progress_detail.get(PROBED, {})
    runner = asyncio.Runner()
    try:
        teacher = _connected(job, spec, task, runner, key=key, known=probed.get(name))
    except BaseException:
        runner.close()
        raise
    job.progress.note(PROBED, probed | {name: teacher.probed.to_json()})
    store = _store(job, fingerprint=teacher.teacher.fingerprint, model=teacher.teacher.model)
    return RemoteDesk(
        teacher,
        store=store,
        purse=purse,
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
