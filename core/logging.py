"""How a process logs: one line an event, as JSON or for a console, without secrets.

Records of other libraries take the same way, so that a password in a driver's error
message or in a traceback is scrubbed like our own.
"""

import logging
import re
import sys
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from core.config import Settings

REDACTED = "[redacted]"
SECRET_FIELD = re.compile(
    r"password|secret|token$|api_?key|authorization|credential", re.IGNORECASE
)
URL_PASSWORD = re.compile(r"(?<=://)([^/@\s:]*):([^/@\s]+)@")
TELLING = ("app", "worker", "core", "llkd", "migrations", "uvicorn", "celery")
# Shorter values would blot out ordinary words.
MIN_SECRET_LENGTH = 6


def configure_logging(
    *, secrets: Sequence[str] = (), stream: TextIO | None = None, level: int = logging.INFO
) -> None:
    """Log to `stream` (standard error by default): a console's colours on a terminal, else JSON.

    Args:
        secrets: values that no line may hold, wherever they come from; those learned later are
            given to `hide_in_logs`.
    """
    hide_in_logs(*secrets)
    stream = stream or sys.stderr
    before: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # The traceback is text before it is scrubbed: drivers quote connection strings in it.
    after: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _PROCESS_SCRUBBER,
        structlog.dev.ConsoleRenderer()
        if stream.isatty()
        else structlog.processors.JSONRenderer(default=str),
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=before, processors=after)
    )
    logging.root.handlers[:] = [handler]
    # What libraries tell about their insides is for their authors.
    logging.root.setLevel(logging.WARNING)
    for name in TELLING:
        logging.getLogger(name).setLevel(level)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def hide_in_logs(*secrets: str) -> None:
    """From now on no line of this process holds these values, as a key just decrypted."""
    _PROCESS_SCRUBBER.add(secrets)


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret value this process knows."""
    pairs = (*settings.api_keys, *settings.secret_keys)
    values = [pair.get_secret_value().partition(":")[2] for pair in pairs]
    if settings.database.password:
        values.append(settings.database.password)
    if settings.redis_url is not None:
        match = URL_PASSWORD.search(settings.redis_url.get_secret_value())
        values += [match.group(2)] if match else []
    return tuple(values)


class Scrubber:
    """Takes secrets out of an event: known values, fields named like one, passwords in URLs."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()
        self._adding = Lock()

    def add(self, secrets: Iterable[str]) -> None:
        """Scrub these too; values too short to be told from ordinary words are left."""
        with self._adding:
            known = {*self._secrets, *(s for s in secrets if len(s) >= MIN_SECRET_LENGTH)}
            # The longest first: one secret may begin another. One assignment: other threads
            # are logging meanwhile.
            self._secrets = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        return {
            name: REDACTED if SECRET_FIELD.search(name) else self.scrub(value)
            for name, value in event.items()
        }

    def scrub(self, value: Any) -> Any:
        """The same value with secrets replaced, however deep they stand."""
        if isinstance(value, str):
            return self._scrub_text(value)
        if isinstance(value, dict):
            return self(None, "", value)
        if isinstance(value, list | tuple):
            return [self.scrub(part) for part in value]
        if isinstance(value, bool | int | float) or value is None:
            return value
        return self._scrub_text(str(value))

    def _scrub_text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, REDACTED)
        return URL_PASSWORD.sub(rf"\1:{REDACTED}@", text)


# One for the process, as its log is. It forgets nothing: a secret out of use may still turn up
# in a traceback.
_PROCESS_SCRUBBER = Scrubber()
