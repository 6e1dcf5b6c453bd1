"""What can be wrong with a server as a whole, not with one question."""

from llkd.errors import LlkdError


class RungUnavailable(LlkdError):
    """The server has no way to answer as it was asked to."""

    code = "teacher-capability"


class TeacherSilent(LlkdError):
    """The server did not answer at all, so that nothing can be said of what it offers."""

    code = "teacher-unavailable"
