"""How a tenant's secrets lie in the database: sealed, each under a key of its own.

A secret is encrypted with a random data key, and that with a key-encryption key which the
database never sees. Changing the latter wraps the data keys anew; the secrets stay as they are.
"""

import base64
import hmac
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from core.errors import ServiceError

KEY_BYTES = 32
# NIST SP 800-38D, section 8.2: 96 bits. A data key encrypts once; random nonces under one
# key-encryption key are safe for 2**32 secrets.
NONCE_BYTES = 12
# Four characters of a shorter secret would be too much of it.
MIN_LENGTH_TO_SHOW = 16

_KEY_ID = re.compile(r"[A-Za-z0-9._-]{1,32}")
_FORMAT = "llkd-secret-1"
_DIGEST_PURPOSE = b"llkd-digest-1"


class SecretKeyMissing(ServiceError):
    """A secret was sealed with a key that this process was not given."""

    code = "secret-key-missing"
    title = "A stored secret cannot be opened"

    def __init__(self, key_id: str) -> None:
        super().__init__(f"The key {key_id[:32]!r} of a stored secret is not in LLKD_SECRET_KEYS.")


class SecretUnreadable(ServiceError):
    """A stored secret was altered, belongs to another owner, or was sealed with another key."""

    code = "secret-unreadable"
    title = "A stored secret cannot be opened"

    def __init__(self) -> None:
        super().__init__("A stored secret is damaged or was not sealed for its owner.")


@dataclass(frozen=True)
class KeyEncryptionKey:
    """A key that wraps data keys.

    Attributes:
        id: 1-32 letters, digits, dots, hyphens and underscores; stored with what it wraps.
        key: 32 bytes.
    """

    id: str
    key: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _KEY_ID.fullmatch(self.id) or len(self.key) != KEY_BYTES:
            raise ValueError("a key-encryption key is a short plain name and 32 bytes")


@dataclass(frozen=True)
class SecretBox:
    """A sealed secret, as it is stored."""

    key_id: str
    wrap_nonce: bytes = field(repr=False)
    wrapped_key: bytes = field(repr=False)
    nonce: bytes = field(repr=False)
    ciphertext: bytes = field(repr=False)

    def to_json(self) -> dict[str, str]:
        """A flat JSON object; bytes are base64."""
        return {
            "format": _FORMAT,
            "key_id": self.key_id,
            "wrap_nonce": _to_base64(self.wrap_nonce),
            "wrapped_key": _to_base64(self.wrapped_key),
            "nonce": _to_base64(self.nonce),
            "ciphertext": _to_base64(self.ciphertext),
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> Self:
        """Read back what `to_json` wrote.

        Raises:
            SecretUnreadable: something is missing, is no base64, or is of another format.
        """
        try:
            if stored["format"] != _FORMAT:
                raise SecretUnreadable
            return cls(
                key_id=stored["key_id"],
                wrap_nonce=_from_base64(stored["wrap_nonce"]),
                wrapped_key=_from_base64(stored["wrapped_key"]),
                nonce=_from_base64(stored["nonce"]),
                ciphertext=_from_base64(stored["ciphertext"]),
            )
        except (KeyError, TypeError, ValueError):
            raise SecretUnreadable from None


class Vault:
    """Seals secrets with the first of its keys and opens those of all.

    An owner is whatever must not change under a secret: the tenant, and with a teacher's key
    the endpoint it may be sent to. It is authenticated, not stored.
    """

    def __init__(self, keys: Sequence[KeyEncryptionKey]) -> None:
        if not keys or len({key.id for key in keys}) < len(keys):
            raise ValueError("a vault needs at least one key, and no id twice")
        self._current = keys[0]
        self._keys = {key.id: AESGCM(key.key) for key in keys}
        # A key of its own for each purpose: what one of them gives away is of no use to another.
        self._digest_keys = [hmac.digest(key.key, _DIGEST_PURPOSE, "sha256") for key in keys]

    @property
    def key_ids(self) -> frozenset[str]:
        """The keys whose secrets this vault opens."""
        return frozenset(self._keys)

    def seal(self, plaintext: SecretStr, *, owner: str) -> SecretBox:
        """Encrypt a secret so that only its owner's open it; equal ones look different."""
        data_key = AESGCM.generate_key(bit_length=8 * KEY_BYTES)
        nonce = os.urandom(NONCE_BYTES)
        # Any text goes: an error here would quote it.
        encoded = plaintext.get_secret_value().encode("utf-8", "surrogatepass")
        sealed = AESGCM(data_key).encrypt(nonce, encoded, _bound_to("secret", owner))
        return self._wrap(SecretBox("", b"", b"", nonce, sealed), data_key, owner=owner)

    def open(self, box: SecretBox, *, owner: str) -> SecretStr:
        """Decrypt a secret.

        Raises:
            SecretKeyMissing: this vault has not got the key.
            SecretUnreadable: the box was altered, or the owner is another.
        """
        data_key = self._unwrap(box, owner=owner)
        plaintext = _decrypt(AESGCM(data_key), box.nonce, box.ciphertext, "secret", owner)
        return SecretStr(plaintext.decode("utf-8", "surrogatepass"))

    def rewrap(self, box: SecretBox, *, owner: str) -> SecretBox:
        """The same secret under the current key; its own ciphertext stays as it is.

        Raises:
            SecretKeyMissing, SecretUnreadable: as `open`.
        """
        if box.key_id == self._current.id:
            return box
        return self._wrap(box, self._unwrap(box, owner=owner), owner=owner)

    def digests(self, message: bytes) -> tuple[str, ...]:
        """Keyed digests of what holds a secret: equal for equal messages, of no use for guessing.

        Returns:
            Hexadecimal HMAC-SHA256, one for each key, the current one first. Store the first; a
            message is the stored one's equal if any fits, also after the keys were rotated.
        """
        return tuple(hmac.digest(key, message, "sha256").hex() for key in self._digest_keys)

    def _wrap(self, box: SecretBox, data_key: bytes, *, owner: str) -> SecretBox:
        key_id, nonce = self._current.id, os.urandom(NONCE_BYTES)
        wrapped = self._keys[key_id].encrypt(nonce, data_key, _bound_to("key", key_id, owner))
        return replace(box, key_id=key_id, wrap_nonce=nonce, wrapped_key=wrapped)

    def _unwrap(self, box: SecretBox, *, owner: str) -> bytes:
        key = self._keys.get(box.key_id)
        if key is None:
            raise SecretKeyMissing(box.key_id)
        return _decrypt(key, box.wrap_nonce, box.wrapped_key, "key", box.key_id, owner)


def last4(secret: SecretStr) -> str:
    """What an owner may see of a secret to know it by; empty for a short one."""
    value = secret.get_secret_value()
    return value[-4:] if len(value) >= MIN_LENGTH_TO_SHOW else ""


def parse_secret_keys(entries: Sequence[SecretStr]) -> tuple[KeyEncryptionKey, ...]:
    """Read `ID:BASE64` entries, as `openssl rand -base64 32` makes them.

    Raises:
        ValueError: an entry is none, or an id comes twice; says which one and not what is in it.
    """
    keys = tuple(_parse_key(entry, number) for number, entry in enumerate(entries, start=1))
    if len({key.id for key in keys}) < len(keys):
        raise ValueError("an id comes twice in LLKD_SECRET_KEYS")
    return keys


def _parse_key(entry: SecretStr, number: int) -> KeyEncryptionKey:
    key_id, _, text = entry.get_secret_value().partition(":")
    try:
        return KeyEncryptionKey(key_id, _from_base64(text))
    except ValueError:
        raise ValueError(
            f"entry {number} of LLKD_SECRET_KEYS is not ID:BASE64 of {KEY_BYTES} bytes"
        ) from None


def _decrypt(key: AESGCM, nonce: bytes, ciphertext: bytes, *bound: str) -> bytes:
    try:
        return key.decrypt(nonce, ciphertext, _bound_to(*bound))
    except (InvalidTag, ValueError):  # ValueError: a nonce or a text of a length that none has.
        raise SecretUnreadable from None


def _bound_to(*parts: str) -> bytes:
    # JSON, so that no two lists of parts look alike.
    return json.dumps([_FORMAT, *parts]).encode()


def _to_base64(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)
