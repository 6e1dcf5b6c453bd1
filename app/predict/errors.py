"""What predict refuses."""

from core.errors import ErrorItem, ServiceError
from core.errors import ModelUnavailable as ModelUnavailable


class Overloaded(ServiceError):
    """More waits than can be answered soon; ask again after Retry-After seconds.

    The operator sets how long a request may wait for its first batch (LLKD_PREDICT_WAIT_SECONDS)
    and how much text may wait in memory (LLKD_PREDICT_BACKLOG_BYTES).
    """

    status = 429
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


class NotCertified(ServiceError):
    """A `target` needs a model with certification texts, served by an engine that answered them.

    Distil it by a job with `certification`, or with gold rows that the teacher answered; or give
    a `threshold` of your own.
    """

    status = 422
    code = "not-certified"
    title = "Nothing is certified of this model"

    def __init__(self, why: str) -> None:
        super().__init__(why, errors=[ErrorItem("/target", self.code, why)])


class NoRoom(ServiceError):
    """All memory for models is held by models that are answering; ask again in a while."""

    status = 503
    code = "no-room-for-model"
    title = "No room to load the model"

    def __init__(self, model_id: str, *, retry_after_s: int = 5) -> None:
        super().__init__(
            f"Models that are in use leave no room for {model_id}.",
            headers={"Retry-After": str(retry_after_s)},
        )


class ModelTooLarge(ServiceError):
    """The model needs more memory than the operator gives to all models together.

    LLKD_PREDICT_CACHE_BYTES sets how much that is.
    """

    status = 507
    code = "model-too-large"
    title = "The model is larger than the memory for models"

    def __init__(self, model_id: str, *, needed: int, room: int) -> None:
        super().__init__(f"{model_id} needs {needed} bytes of memory; models have {room}.")
