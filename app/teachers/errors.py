"""What the teachers' endpoints refuse."""

from core.errors import ServiceError


class ResourceInUse(ServiceError):
    """Queued or running jobs ask this teacher; cancel them, or wait for their end."""

    status = 409
    code = "resource-in-use"
    title = "The teacher is in use"


class TooManyTests(ServiceError):
    """As many teachers are being tested as may be at a time; try again soon."""

    status = 503
    code = "too-many-tests"
    title = "Too many tests"

    def __init__(self, count: int) -> None:
        super().__init__(f"{count} tests are under way already.", headers={"Retry-After": "5"})
