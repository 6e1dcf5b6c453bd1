"""Rotating the wrapping key: all stored keys open with the new one alone; nothing else moves."""

import base64
import subprocess
import sys
from typing import Any

import pytest
from pydantic import SecretStr

from core import rewrap
from core.db.repositories.teachers import TeacherRepository, key_owner
from core.db.session import Database
from core.db.tables import TeacherRow
from core.ids import TenantId
from core.rewrap import Rewrapped, rewrap_all
from core.secrets import KEY_BYTES, KeyEncryptionKey, SecretBox, Vault
from tests.factories import TENANT, make_teacher

OLD, NEW = KeyEncryptionKey("old", b"o" * KEY_BYTES), KeyEncryptionKey("new", b"n" * KEY_BYTES)
ROTATING = Vault([NEW, OLD])
PLAINTEXT = "sk-a-long-enough-key"


def seal(database: Database, vault: Vault, **given: Any) -> TeacherRow:
    """A stored teacher with a key."""
    with database.write() as session:
        row = make_teacher(session, **given)
        row.sealed_key = dict(vault.seal(SecretStr(PLAINTEXT), owner=key_owner(row)).to_json())
        session.flush()
        return row


def opened(database: Database, row: TeacherRow, vault: Vault) -> str:
    with database.read() as session:
        found = TeacherRepository(session).get(row.tenant_id, row.id)
    assert found is not None
    assert found.sealed_key is not None
    box = SecretBox.from_json(found.sealed_key)
    return vault.open(box, owner=key_owner(found)).get_secret_value()


class TestRewrapAll:
    def test_every_tenants_keys_open_with_the_new_key_alone(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rewrap, "ROWS_A_PAGE", 2)
        rows = [
            seal(database, Vault([OLD]), tenant_id=TenantId(tenant))
            for tenant in (TENANT, "other", TENANT, "third", TENANT)
        ]
        assert rewrap_all(database, ROTATING) == Rewrapped(5, 0, {})
        assert {opened(database, row, Vault([NEW])) for row in rows} == {PLAINTEXT}

    def test_a_second_run_changes_nothing(self, database: Database) -> None:
        seal(database, Vault([OLD]))
        seal(database, Vault([NEW]))
        assert rewrap_all(database, ROTATING) == Rewrapped(1, 1, {})
        assert rewrap_all(database, ROTATING) == Rewrapped(0, 2, {})

    def test_interrupted_it_goes_on_where_it_was(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [seal(database, Vault([OLD])) for _ in range(3)]
        real, calls = TeacherRepository.rewrap_key, 0

        def break_off(teachers: TeacherRepository, *given: Any, **named: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == 2:
                raise KeyboardInterrupt
            real(teachers, *given, **named)

        monkeypatch.setattr(TeacherRepository, "rewrap_key", break_off)
        with pytest.raises(KeyboardInterrupt):
            rewrap_all(database, ROTATING)
        assert {opened(database, row, ROTATING) for row in rows} == {PLAINTEXT}
        assert rewrap_all(database, ROTATING) == Rewrapped(2, 1, {})

    def test_a_key_that_was_changed_meanwhile_stays_changed(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = seal(database, Vault([OLD]))
        real = TeacherRepository.with_keys

        def change_then(teachers: TeacherRepository, **named: Any) -> Any:
            found = real(teachers, **named)
            for each in found:
                box = ROTATING.seal(SecretStr("sk-another-key-now"), owner=key_owner(each))
                with database.write() as session:
                    TeacherRepository(session).replace_key(
                        each.tenant_id, each.id, sealed_key=dict(box.to_json()), key_last4=None
                    )
            return found

        monkeypatch.setattr(TeacherRepository, "with_keys", change_then)
        assert rewrap_all(database, ROTATING).moved == 0
        assert opened(database, row, Vault([NEW])) == "sk-another-key-now"

    def test_the_last_test_stands_and_the_row_has_not_changed(self, database: Database) -> None:
        row = seal(database, Vault([OLD]), last_test={"ok": True})
        rewrap_all(database, ROTATING)
        with database.read() as session:
            found = TeacherRepository(session).get(TENANT, row.id)
        assert found is not None
        assert (found.last_test, found.updated_at) == ({"ok": True}, row.updated_at)

    def test_what_cannot_be_opened_is_named_and_stays(self, database: Database) -> None:
        lost = seal(database, Vault([KeyEncryptionKey("lost", b"l" * KEY_BYTES)]))
        fine = seal(database, Vault([OLD]))
        found = rewrap_all(database, ROTATING)
        assert (found.moved, list(found.unreadable)) == (1, [lost.id])
        assert "'lost'" in found.unreadable[lost.id]
        assert opened(database, fine, Vault([NEW])) == PLAINTEXT


class TestTheCommand:
    def entry(self, key: KeyEncryptionKey) -> str:
        return f"{key.id}:{base64.b64encode(key.key).decode()}"

    def test_it_tells_how_many_and_never_a_key(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = seal(sqlite_database, Vault([OLD]))
        monkeypatch.setenv("LLKD_DATABASE_URL", sqlite_database.url.render_as_string(False))
        monkeypatch.setenv("LLKD_SECRET_KEYS", f"{self.entry(NEW)},{self.entry(OLD)}")
        ended = subprocess.run(
            [sys.executable, "-m", "core.rewrap"], capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout == "1 keys wrapped anew, 0 were already\n"
        assert opened(sqlite_database, row, Vault([NEW])) == PLAINTEXT

    def test_it_fails_where_a_key_is_missing(
        self, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        row = seal(sqlite_database, Vault([OLD]))
        monkeypatch.setenv("LLKD_DATABASE_URL", sqlite_database.url.render_as_string(False))
        monkeypatch.setenv("LLKD_SECRET_KEYS", self.entry(NEW))
        ended = subprocess.run(
            [sys.executable, "-m", "core.rewrap"], capture_output=True, text=True, check=False
        )
        assert ended.returncode == 1
        assert row.id in ended.stderr
