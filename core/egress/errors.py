"""What is wrong with a teacher's URL, as the API says it."""

from core.errors import ServiceError


class InvalidTeacherUrl(ServiceError):
    """The text is no base URL. What was sent is not repeated: it may hold a password."""

    status = 422
    code = "invalid-teacher-url"
    title = "The teacher's URL is not valid"

    def __init__(self) -> None:
        super().__init__(
            "A teacher's base URL is http:// or https://, a host, a port from 1 to 65535 where it "
            "is not the usual one, and a plain path such as /v1: no user, password, query or "
            "fragment."
        )


class TeacherUrlForbidden(ServiceError):
    """The URL may not be called; one text for every reason, so that nobody learns which."""

    status = 422
    code = "teacher-url-forbidden"
    title = "The teacher's URL may not be called"

    def __init__(self) -> None:
        super().__init__("This service's operator has not listed this URL's server as a teacher.")
