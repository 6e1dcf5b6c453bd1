"""What the service refuses, and how it says so.

Each error carries an HTTP status and a stable code (the last part of its problem
type URL). Errors of one feature live beside that feature; here are the root and
those that several features raise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorItem:
    """One fault inside a request.

    Attributes:
        pointer: JSON pointer into the body, or `line:12` style position of a file.
        code: stable, machine-readable.
        message: for a person, with the values.
    """

    pointer: str
    code: str
    message: str


class ServiceError(Exception):
    """A request that cannot be served, told as an RFC 9457 problem."""

    status: int = 500
    code: str = "internal-error"
    title: str = "Internal error"

    def __init__(
        self,
        detail: str,
        *,
        errors: Sequence[ErrorItem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


class NotFound(ServiceError):
    """Nothing has this name, or what has it belongs to somebody else."""

    status = 404
    code = "not-found"
    title = "Not found"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"There is no {kind} named {name[:80]!r}.")


class Gone(ServiceError):
    """It was here and has been deleted; its id is never used again."""

    status = 410
    code = "gone"
    title = "Deleted"

    def __init__(self, kind: str, name: str, *, pointer: str | None = None) -> None:
        """`pointer` says where the request names it, if its body does."""
        message = f"The {kind} {name[:80]!r} was deleted."
        errors = () if pointer is None else (ErrorItem(pointer, self.code, message),)
        super().__init__(message, errors=errors)


class ValidationFailed(ServiceError):
    """A field of the request is missing, unknown, or has a value it cannot have."""

    status = 422
    code = "validation-error"
    title = "The request is not valid"


class Unavailable(ServiceError):
    """Something this service needs does not answer; the same request may succeed later."""

    status = 503
    code = "unavailable"
    title = "Temporarily unavailable"

    def __init__(self, detail: str, *, retry_after_s: int = 5) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class ModelUnavailable(ServiceError):
    """The model's files cannot be loaded: one is missing, or is not the one that was exported."""

    status = 503
    code = "model-unavailable"
    title = "The model cannot be loaded"

    def __init__(self, model_id: str, *, retry_after_s: int = 30) -> None:
        super().__init__(
            f"The files of {model_id} cannot be loaded.",
            headers={"Retry-After": str(retry_after_s)},
        )
