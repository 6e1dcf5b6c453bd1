"""What predict refuses."""

from core.errors import ServiceError


class Overloaded(ServiceError):
    """More requests wait than can be served soon; ask again after Retry-After seconds."""

    status = 503
    code = "overloaded"
    title = "Overloaded"

    def __init__(self, detail: str, *, retry_after_s: int = 1) -> None:
        super().__init__(detail, headers={"Retry-After": str(retry_after_s)})


class ModelNotReady(ServiceError):
    """The job that makes this model is not finished; `GET /jobs/{id}` says how far it is."""

    status = 409
    code = "model-not-ready"
    title = "The model is not ready"

    def __init__(self, name: str) -> None:
        super().__init__(f"The model {name[:80]!r} is still being made.")


class ModelUnavailable(ServiceError):
    """The model's files cannot be loaded, or are not the ones that were exported."""

    status = 503
    code = "model-unavailable"
    title = "The model cannot be loaded"

    def __init__(self, model_id: str, *, retry_after_s: int) -> None:
        super().__init__(
            f"The files of {model_id} cannot be loaded.",
            headers={"Retry-After": str(retry_after_s)},
        )


__all__ = ["ModelNotReady", "ModelUnavailable", "Overloaded"]
