"""A sealed secret opens for its owner with its key, and in no other way."""

import base64
import hmac
import json
import os
from dataclasses import replace

import pytest
from pydantic import SecretStr

from core.secrets import (
    KeyEncryptionKey,
    SecretBox,
    SecretKeyMissing,
    SecretUnreadable,
    Vault,
    last4,
    parse_secret_keys,
)

CANARY = "sk-canary-55d0a1b2c3d4"
OWNER = "tenant-a https://api.openai.com"
OLD = KeyEncryptionKey("2025", bytes(range(32)))
NEW = KeyEncryptionKey("2026", bytes(range(1, 33)))
BYTE_FIELDS = ["wrap_nonce", "wrapped_key", "nonce", "ciphertext"]


def sealed(vault: Vault, *, owner: str = OWNER) -> SecretBox:
    return vault.seal(SecretStr(CANARY), owner=owner)


def altered(box: SecretBox, name: str, value: bytes) -> SecretBox:
    return SecretBox(**(vars(box) | {name: value}))


def flipped(value: bytes, position: int) -> bytes:
    changed = bytearray(value)
    changed[position] ^= 1
    return bytes(changed)


class TestASealedSecret:
    @pytest.mark.parametrize("plaintext", [CANARY, "", "ключ 🔑", "\ud800", "x" * 100_000])
    def test_opens_for_its_owner_also_after_storage(self, plaintext: str) -> None:
        box = Vault([OLD]).seal(SecretStr(plaintext), owner=OWNER)
        stored = json.dumps(box.to_json())
        opened = Vault([OLD]).open(SecretBox.from_json(json.loads(stored)), owner=OWNER)
        assert opened.get_secret_value() == plaintext

    def test_shows_nothing_of_itself(self) -> None:
        box = sealed(Vault([OLD]))
        told = f"{box!r} {json.dumps(box.to_json())} {vars(box)}"
        assert CANARY not in told
        assert base64.b64encode(CANARY.encode()).decode() not in told

    def test_never_looks_the_same_twice(self) -> None:
        vault = Vault([OLD])
        first, second = sealed(vault), sealed(vault)
        for name in BYTE_FIELDS:
            assert getattr(first, name) != getattr(second, name)

    @pytest.mark.parametrize("owner", ["", "tenant-b", OWNER + "/", OWNER.upper()])
    def test_does_not_open_for_another_owner(self, owner: str) -> None:
        vault = Vault([OLD])
        with pytest.raises(SecretUnreadable):
            vault.open(sealed(vault), owner=owner)

    @pytest.mark.parametrize("name", BYTE_FIELDS)
    @pytest.mark.parametrize("position", [0, -1])
    def test_does_not_open_after_one_bit_changed(self, name: str, position: int) -> None:
        vault = Vault([OLD])
        box = sealed(vault)
        changed = altered(box, name, flipped(getattr(box, name), position))
        with pytest.raises(SecretUnreadable):
            vault.open(changed, owner=OWNER)

    @pytest.mark.parametrize("name", BYTE_FIELDS)
    def test_does_not_open_with_a_part_missing(self, name: str) -> None:
        vault = Vault([OLD])
        with pytest.raises(SecretUnreadable):
            vault.open(altered(sealed(vault), name, b""), owner=OWNER)

    def test_does_not_open_with_parts_of_another(self) -> None:
        vault = Vault([OLD])
        mine, other = sealed(vault), sealed(vault, owner="tenant-b")
        grafted = replace(mine, nonce=other.nonce, ciphertext=other.ciphertext)
        with pytest.raises(SecretUnreadable):
            vault.open(grafted, owner=OWNER)

    def test_does_not_open_under_the_name_of_another_key(self) -> None:
        vault = Vault([OLD, KeyEncryptionKey("same-bytes", OLD.key)])
        with pytest.raises(SecretUnreadable):
            vault.open(replace(sealed(vault), key_id="same-bytes"), owner=OWNER)

    def test_whose_key_is_missing_says_which(self) -> None:
        with pytest.raises(SecretKeyMissing, match="2025"):
            Vault([NEW]).open(sealed(Vault([OLD])), owner=OWNER)

    @pytest.mark.parametrize(
        "change",
        [
            {"format": "llkd-secret-2"},
            {"nonce": "not base64!"},
            {"nonce": "é"},
            {"ciphertext": None},
            {"wrapped_key": 1},
        ],
    )
    def test_that_was_damaged_in_storage_is_unreadable(self, change: dict[str, str]) -> None:
        stored = sealed(Vault([OLD])).to_json()
        with pytest.raises(SecretUnreadable):
            SecretBox.from_json(stored | change)

    @pytest.mark.parametrize("missing", ["format", "key_id", *BYTE_FIELDS])
    def test_of_which_a_field_is_missing_is_unreadable(self, missing: str) -> None:
        stored = sealed(Vault([OLD])).to_json()
        del stored[missing]
        with pytest.raises(SecretUnreadable):
            SecretBox.from_json(stored)


class TestRotation:
    def test_opens_what_older_keys_sealed_and_seals_with_the_first(self) -> None:
        both = Vault([NEW, OLD])
        assert both.open(sealed(Vault([OLD])), owner=OWNER).get_secret_value() == CANARY
        assert sealed(both).key_id == NEW.id
        assert both.key_ids == {NEW.id, OLD.id}

    def test_wraps_the_data_key_anew_and_leaves_the_secret(self) -> None:
        before = sealed(Vault([OLD]))
        after = Vault([NEW, OLD]).rewrap(before, owner=OWNER)
        assert (after.nonce, after.ciphertext) == (before.nonce, before.ciphertext)
        assert (after.key_id, after.wrapped_key == before.wrapped_key) == (NEW.id, False)
        # The old key can be thrown away now.
        assert Vault([NEW]).open(after, owner=OWNER).get_secret_value() == CANARY

    def test_of_what_is_current_changes_nothing(self) -> None:
        vault = Vault([NEW, OLD])
        box = sealed(vault)
        assert vault.rewrap(box, owner=OWNER) == box

    def test_is_not_for_another_owner(self) -> None:
        with pytest.raises(SecretUnreadable):
            Vault([NEW, OLD]).rewrap(sealed(Vault([OLD])), owner="tenant-b")


class TestDigests:
    def test_equal_messages_are_known_by_them_and_others_are_not(self) -> None:
        vault = Vault([OLD])
        assert vault.digests(b"message") == vault.digests(b"message")
        assert vault.digests(b"message") != vault.digests(b"massage")

    def test_they_cannot_be_made_without_the_key(self) -> None:
        (known,) = Vault([OLD]).digests(b"message")
        assert known not in Vault([NEW]).digests(b"message")
        # Nor do they give away what the key itself would make of the message.
        assert known != hmac.digest(OLD.key, b"message", "sha256").hex()

    def test_a_stored_one_is_known_for_as_long_as_its_key(self) -> None:
        stored = Vault([OLD]).digests(b"message")[0]
        rotated = Vault([NEW, OLD]).digests(b"message")
        assert stored in rotated
        assert stored != rotated[0]


class TestAVault:
    @pytest.mark.parametrize("keys", [[], [OLD, KeyEncryptionKey(OLD.id, NEW.key)]])
    def test_has_keys_with_ids_of_their_own(self, keys: list[KeyEncryptionKey]) -> None:
        with pytest.raises(ValueError, match="at least one key, and no id twice"):
            Vault(keys)


class TestConfiguredKeys:
    def test_are_pairs_of_an_id_and_32_bytes(self) -> None:
        entry = SecretStr("2026:" + base64.b64encode(NEW.key).decode())
        assert parse_secret_keys([entry]) == (NEW,)
        assert parse_secret_keys([]) == ()

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2026",
            "2026:",
            ":" + base64.b64encode(bytes(32)).decode(),
            "a b:" + base64.b64encode(bytes(32)).decode(),
            "2026:" + base64.b64encode(bytes(31)).decode(),
            "2026:" + base64.b64encode(bytes(33)).decode(),
            "2026:canary" + base64.b64encode(bytes(32)).decode(),
            "2026:canary!é",
        ],
    )
    def test_that_are_none_are_refused_without_their_content(self, text: str) -> None:
        good = SecretStr("1:" + base64.b64encode(os.urandom(32)).decode())
        with pytest.raises(ValueError, match=r"entry 2 of LLKD_SECRET_KEYS") as refused:
            parse_secret_keys([good, SecretStr(text)])
        assert "canary" not in repr(refused.value)

    def test_have_an_id_each(self) -> None:
        entry = SecretStr("1:" + base64.b64encode(bytes(32)).decode())
        with pytest.raises(ValueError, match="twice"):
            parse_secret_keys([entry, entry])

    def test_do_not_show_their_bytes(self) -> None:
        assert repr(OLD) == "KeyEncryptionKey(id='2025')"


class TestTheLastFour:
    @pytest.mark.parametrize(
        ("secret", "shown"), [("", ""), ("x" * 11 + "1234", ""), ("x" * 12 + "1234", "1234")]
    )
    def test_are_shown_of_a_long_secret_only(self, secret: str, shown: str) -> None:
        assert last4(SecretStr(secret)) == shown
