"""Where a machine without LLKD_SECRET_KEYS keeps the key of its secrets: one file of its own.

The file holds one `ID:BASE64` entry, so that it can be moved into the environment as it is.
"""

import base64
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from pydantic import SecretStr

from core.artifacts import fsync_folder
from core.secrets import KEY_BYTES, KeyEncryptionKey, Vault, parse_secret_keys

FILE_NAME = "secret.key"
KEY_ID = "file"
# More than any key; a file that is none is not read whole.
_MAX_BYTES = 256


class KeyFileUnsafe(Exception):
    """The key file is not a plain file that this user alone can read, or holds no key."""


def open_vault(secret_keys: Sequence[SecretStr], *, data_dir: Path) -> Vault:
    """The vault of the configured keys, or of the key file, which is made if there is none.

    Raises:
        ValueError: `secret_keys` are not `ID:BASE64` entries.
        KeyFileUnsafe: the file is there and must not be used.
        OSError: the file cannot be made or read.
    """
    if secret_keys:
        return Vault(parse_secret_keys(secret_keys))
    path = data_dir / FILE_NAME
    _create_unless_there(path)
    return Vault([_read(path)])


def _create_unless_there(path: Path) -> None:
    """Make the file, complete or not at all; of several processes at once, one makes it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{FILE_NAME}.{uuid4().hex}")
    key = base64.b64encode(os.urandom(KEY_BYTES)).decode("ascii")
    descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(f"{KEY_ID}:{key}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: it never takes the place of a file that stands there already.
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    # Else a power cut may take away the name, and with it every secret sealed since.
    fsync_folder(path.parent)


def _read(path: Path) -> KeyEncryptionKey:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise KeyFileUnsafe(f"{path} cannot be opened: {error.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
            raise KeyFileUnsafe(f"{path} is not a file of the user that runs this process")
        if status.st_mode & 0o077:
            raise KeyFileUnsafe(f"{path} can be read by others; chmod 600 it")
        content = file.read(_MAX_BYTES)
    try:
        (key,) = parse_secret_keys([SecretStr(content.decode("ascii").strip())])
    except ValueError:
        raise KeyFileUnsafe(f"{path} does not hold one ID:BASE64 entry") from None
    return key
