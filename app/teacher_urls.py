"""Whether a teacher's base URL may be called; told with its place in the request."""

from core.egress.allow_list import AllowList
from core.egress.errors import InvalidTeacherUrl, TeacherUrlForbidden
from core.egress.urls import Endpoint, parse_base_url
from core.errors import ErrorItem


def allowed_endpoint(text: str, allow_list: AllowList, *, pointer: str) -> Endpoint:
    """The server and path that a base URL names.

    Args:
        pointer: where the URL stands in the body.

    Raises:
        InvalidTeacherUrl: it is none.
        TeacherUrlForbidden: the operator has not listed its server.
    """
    try:
        endpoint = parse_base_url(text)
        allow_list.reach(endpoint)
    except (InvalidTeacherUrl, TeacherUrlForbidden) as error:
        error.errors = (ErrorItem(pointer, error.code, error.detail),)
        raise
    return endpoint
