"""Which desk a job's teacher sits at."""

from llkd.base_models import ModelSource
from llkd.specs import LocalTeacher, ProvidedTeacher
from llkd.teachers.factory import build_teacher
from worker.asking.desk import Desk
from worker.asking.local_desk import LocalDesk
from worker.asking.purse import Purse
from worker.asking.store import AnswerStore
from worker.job import Job


def open_desk(job: Job) -> Desk:
    """The job's teacher, or teachers, behind the store of their answers and its budget.

    Raises:
        ModelNotAllowed: a teacher's base model cannot be loaded safely.
    """
    purse = Purse(job.database, tenant_id=job.tenant_id, claim=job.assignment.claim)
    return _local_desk(job, job.spec.teacher, purse)


def _local_desk(job: Job, spec: LocalTeacher, purse: Purse) -> LocalDesk:
    teacher = build_teacher(
        spec,
        labels=job.spec.labels,
        instruction=job.spec.instruction,
        source=ModelSource(job.models_dir, job.assignment.allowed_models),
    )
    store = AnswerStore(
        job.database,
        tenant_id=job.tenant_id,
        job_id=job.row.id,
        fingerprint=teacher.fingerprint,
        model=teacher.model,
        reads_provided=isinstance(spec, ProvidedTeacher),
        labels=job.spec.label_names,
    )
    return LocalDesk(teacher, store=store, purse=purse)
