"""Starts the API: `llkd-api`, or `python -m app.serve`."""

import sys
from collections.abc import Callable

import uvicorn
from pydantic import ValidationError

from app.main import create_app
from core.config import Settings, load_settings
from core.egress.allow_list import AllowList
from core.logging import configure_logging, secrets_of
from core.prices import PricesRefused, read_prices
from core.secret_key_file import KeyFileUnsafe, open_vault
from migrations import upgrade

REFUSAL = """\
Refusing to listen on {host}: anyone who reaches it could use the service.
Set LLKD_API_KEYS=TENANT:KEY (a key of at least 24 characters, for example from
`python3 -c 'import secrets; print(secrets.token_urlsafe(32))'`), or listen on 127.0.0.1."""

# Beyond these, h11 answers by itself: 431 for headers, and the connection is closed.
MAX_HEADER_BYTES = 16 * 1024
IDLE_SECONDS = 15


def main() -> None:
    """Check the settings, bring an embedded database up to date, serve until stopped."""
    try:
        settings = load_settings()
    except ValidationError as error:
        sys.exit(f"The LLKD_* settings are not valid:\n{told(error)}")
    refuse_open_door(settings)
    refuse_bad_teacher_settings(settings)
    configure_logging(secrets=secrets_of(settings))
    if settings.database.get_backend_name() == "sqlite":
        # The embedded database is this program's own file. A shared one is migrated by
        # its operator: `python -m migrations upgrade`.
        upgrade(settings.database)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        http="h11",
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=10,
        server_header=False,
        log_config=None,
        access_log=False,
    )


def told(error: ValidationError) -> str:
    """One line a variable, without its value: that may be a key or hold a password."""
    faults = error.errors(include_input=False, include_url=False)
    return "\n".join(
        f"LLKD_{'.'.join(map(str, fault['loc'])).upper()}: {fault['msg']}" for fault in faults
    )


def refuse_open_door(settings: Settings) -> None:
    """Exit with a clear message rather than listen beyond loopback without a key."""
    if not settings.is_loopback and not settings.api_keys:
        sys.exit(REFUSAL.format(host=settings.host))


def refuse_bad_teacher_settings(settings: Settings) -> None:
    """Exit with the variable, and the place in its value or its file, that cannot be used."""
    readers: tuple[tuple[str, Callable[[], object]], ...] = (
        ("LLKD_TEACHER_HOSTS", lambda: AllowList.parse(settings.teacher_hosts)),
        (
            "LLKD_SECRET_KEYS",
            lambda: open_vault(settings.secret_keys, data_dir=settings.data_dir),
        ),
        ("LLKD_PRICES_FILE", lambda: read_prices(settings.prices_file)),
    )
    for name, read in readers:
        try:
            read()
        except (ValueError, OSError, KeyFileUnsafe, PricesRefused) as error:
            sys.exit(f"{name}: {error}")


if __name__ == "__main__":
    main()
