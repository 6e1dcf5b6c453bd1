"""How a stored teacher is told: everything but its key."""

from app.teachers.schemas import SETTINGS, TeacherRead, TeacherTest
from core.db.tables import TeacherRow
from llkd.specs.teachers import OpenAITeacher


def tell_teacher(row: TeacherRow) -> TeacherRead:
    # As a job that names it would have it: the defaults of what it does not say.
    inherited = OpenAITeacher.model_validate({"teacher_id": row.id, **row.settings})
    return TeacherRead(
        id=row.id,
        object="teacher",
        name=row.name,
        base_url=row.base_url,
        model=row.model,
        has_key=row.sealed_key is not None,
        key_last4=row.key_last4,
        last_test=None if row.last_test is None else TeacherTest.model_validate(row.last_test),
        created_at=row.created_at,
        updated_at=row.updated_at,
        **{field: getattr(inherited, field) for field in SETTINGS},
    )
