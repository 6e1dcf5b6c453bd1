"""The keys of a job's stored teachers, opened for its child alone."""

from core.db.repositories.teachers import TeacherRepository, key_owner
from core.db.session import Database
from core.db.tables import JobRow
from core.ids import TeacherId
from core.secrets import SecretBox, Vault


def open_keys(database: Database, vault: Vault, job: JobRow) -> dict[str, str]:
    """By teacher id; a teacher without a key, or that is gone, has none.

    Raises:
        SecretKeyMissing, SecretUnreadable: a key cannot be opened here.
    """
    teacher = job.spec.get("teacher", {})
    members = teacher.get("teachers") or [teacher]
    wanted = [TeacherId(each["teacher_id"]) for each in members if each.get("teacher_id")]
    if not wanted:
        return {}
    with database.read() as session:
        found = [TeacherRepository(session).get(job.tenant_id, each) for each in wanted]
    return {
        row.id: vault.open(
            SecretBox.from_json(row.sealed_key), owner=key_owner(row)
        ).get_secret_value()
        for row in found
        if row is not None and row.sealed_key is not None
    }
