"""`python -m core.rewrap`: every stored teacher's key under the first of LLKD_SECRET_KEYS.

One teacher a transaction, under the lock that whoever changes a key takes: it can be interrupted,
run twice, and run while the service does.
"""

import sys
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy.orm import Session

from core.config import load_settings
from core.db.repositories.teachers import TeacherRepository, key_owner
from core.db.session import Database
from core.db.tables import TeacherRow
from core.errors import ServiceError
from core.ids import TeacherId
from core.secret_key_file import KeyFileUnsafe, open_vault
from core.secrets import SecretBox, Vault

ROWS_A_PAGE = 100


@dataclass(frozen=True)
class Rewrapped:
    """What became of the stored keys.

    Attributes:
        moved: wrapped anew.
        current: wrapped with the first key before.
        unreadable: teachers whose key stays as it was, and why: its wrapping key is not
            given, or what is stored was altered.
    """

    moved: int
    current: int
    unreadable: dict[TeacherId, str]


def rewrap_all(database: Database, vault: Vault) -> Rewrapped:
    """Wrap the keys of all tenants' teachers with the vault's first key."""
    moved, seen = 0, 0
    unreadable: dict[TeacherId, str] = {}
    after: TeacherId | None = None
    while True:
        with database.read() as session:
            rows = TeacherRepository(session).with_keys(after=after, limit=ROWS_A_PAGE)
        if not rows:
            return Rewrapped(moved, seen - moved - len(unreadable), unreadable)
        for row in rows:
            seen += 1
            try:
                with database.write() as session:
                    moved += _rewrap(session, vault, row)
            except ServiceError as error:
                unreadable[row.id] = error.detail
        after = rows[-1].id


def _rewrap(session: Session, vault: Vault, found: TeacherRow) -> bool:
    """Whether there was a key to wrap anew."""
    teachers = TeacherRepository(session)
    # It may have got another key, or lost it, since it was found.
    row = teachers.hold(found.tenant_id, found.id)
    if row is None or row.sealed_key is None:
        return False
    box = SecretBox.from_json(row.sealed_key)
    wrapped = vault.rewrap(box, owner=key_owner(row))
    if wrapped is box:
        return False
    teachers.rewrap_key(row.tenant_id, row.id, sealed_key=dict(wrapped.to_json()))
    return True


def main() -> int:
    """Returns the exit status: 0 when all keys are under the first one, else 1."""
    try:
        settings = load_settings()
        vault = open_vault(settings.secret_keys, data_dir=settings.data_dir)
    except ValidationError as error:
        # Without their values, which are keys.
        faults = error.errors(include_input=False, include_url=False)
        told = [f"LLKD_{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in faults]
        sys.stderr.write("\n".join([*told, ""]))
        return 1
    except (ValueError, KeyFileUnsafe) as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    database = Database(settings.database)
    try:
        found = rewrap_all(database, vault)
    finally:
        database.dispose()
    sys.stdout.write(f"{found.moved} keys wrapped anew, {found.current} were already\n")
    for teacher_id, why in found.unreadable.items():
        sys.stderr.write(f"{teacher_id} stays as it was: {why}\n")
    return 1 if found.unreadable else 0


if __name__ == "__main__":
    sys.exit(main())
