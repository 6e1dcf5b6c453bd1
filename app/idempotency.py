"""The Idempotency-Key header: the same request sent twice makes one thing."""

import re
from typing import Annotated

from fastapi import Depends, Header

from core.errors import ServiceError

# Printable ASCII, not blank: other bytes change on their way through proxies.
KEY = re.compile(r"(?=.*\S)[ -~]{1,255}")


class InvalidIdempotencyKey(ServiceError):
    """The Idempotency-Key header must hold 1 to 255 printable ASCII characters."""

    status = 400
    code = "invalid-idempotency-key"
    title = "Invalid Idempotency-Key"

    def __init__(self) -> None:
        super().__init__("Idempotency-Key takes 1 to 255 printable ASCII characters.")


class IdempotencyMismatch(ServiceError):
    """This Idempotency-Key came before, with another body; use a new key for a new request."""

    status = 422
    code = "idempotency-mismatch"
    title = "The Idempotency-Key was used for another request"

    def __init__(self) -> None:
        super().__init__("This Idempotency-Key came before, with another body.")


def read_idempotency_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="Any text of your choice. The same key and body again answer with what "
            "the first request made, marked `Idempotent-Replayed: true`.",
            examples=["tickets-2026-07-01"],
        ),
    ] = None,
) -> str | None:
    """The key that came with the request, or None.

    Raises:
        InvalidIdempotencyKey: empty, too long, or not printable.
    """
    if idempotency_key is not None and KEY.fullmatch(idempotency_key) is None:
        raise InvalidIdempotencyKey
    return idempotency_key


IdempotencyKeyDep = Annotated[str | None, Depends(read_idempotency_key)]
# Marks an answer that repeats an earlier one.
REPLAYED = {"Idempotent-Replayed": "true"}
