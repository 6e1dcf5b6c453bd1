"""What every request passes before a route: its id, its size, the host it names."""

import re
from collections.abc import Callable

import anyio
import structlog
from prometheus_client import Counter
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.problems import problem_response
from core.errors import ServiceError
from core.ids import new_request_id

REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
HOST = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
MAX_TARGET_BYTES = 16 * 1024
MAX_HEADER_BYTES = 16 * 1024
MAX_HEADERS = 100
# A body may make us wait this long, and a second more for each kilobyte it brings.
BODY_GRACE_SECONDS = 30.0
BODY_BYTES_A_SECOND = 1024
ANSWERS = Counter("llkd_http_responses", "Answers by status class", ["status"])


class BodyTooLarge(ServiceError):
    """The body is larger than this endpoint takes."""

    status = 413
    code = "body-too-large"
    title = "The body is too large"


class FileTooLarge(ServiceError):
    """The uploaded file is larger than the operator allows (LLKD_MAX_UPLOAD_BYTES)."""

    status = 413
    code = "file-too-large"
    title = "The file is too large"


class RequestTimeout(ServiceError):
    """The body came more slowly than anyone who means to send it would."""

    status = 408
    code = "request-timeout"
    title = "The body came too slowly"


class InvalidHost(ServiceError):
    """The Host header names no host that this service answers for (LLKD_ALLOWED_HOSTS)."""

    status = 400
    code = "invalid-host"
    title = "Invalid host"


class UriTooLong(ServiceError):
    """Nothing here needs an address this long; send a body instead."""

    status = 414
    code = "uri-too-long"
    title = "The address is too long"


class HeadersTooLarge(ServiceError):
    """The headers are more, or longer, than any client of this service needs."""

    status = 431
    code = "headers-too-large"
    title = "The headers are too large"


class CrossOriginRefused(ServiceError):
    """A page of another origin calls, or its browser asks whether it may; none may.

    A service that needs no key on loopback would else obey any web page its user opens: a form
    may send a file to any address, and asks nobody.
    """

    status = 403
    code = "cross-origin-refused"
    title = "Other origins may not call"


class AmbiguousLength(ServiceError):
    """The request states its length in two ways; a proxy before us may have read the other."""

    status = 400
    code = "malformed-request"
    title = "The length of the body is ambiguous"

    def __init__(self) -> None:
        # Where this request ends and the next begins is what cannot be known.
        super().__init__(
            "Content-Length and Transfer-Encoding exclude each other.",
            headers={"Connection": "close"},
        )


class RequestContext:
    """Gives each request an id, and each answer that id and the headers of a careful API."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope).get("x-request-id", "")
        request_id = asked if REQUEST_ID.fullmatch(asked) else new_request_id()
        scope["request_id"] = request_id
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
                ANSWERS.labels(f"{message['status'] // 100}xx").inc()
            await send(message)

        await self.app(scope, receive, send_with_headers)


class RequestLimits:
    """Refuses a request that is too large or names another host, on the receive path.

    A limit checked by a dependency is too late: the body has been read by then.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        body_limit: Callable[[Scope], tuple[int, type[ServiceError]]],
        allowed_hosts: frozenset[str],
    ) -> None:
        self.app = app
        self.body_limit = body_limit
        self.allowed_hosts = allowed_hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        limit, too_large = self.body_limit(scope)
        refusal = self._refusal(scope, limit=limit, too_large=too_large)
        if refusal is not None:
            answer = problem_response(
                refusal, instance=scope["path"], request_id=scope.get("request_id", "")
            )
            await answer(scope, receive, send)
            return
        received = 0
        waited = 0.0
        is_complete = False

        async def counted() -> Message:
            nonlocal received, waited, is_complete
            # After its body, a request is awaited only to hear that its client has gone.
            if is_complete:
                return await receive()
            began = anyio.current_time()
            patience = BODY_GRACE_SECONDS + received / BODY_BYTES_A_SECOND - waited
            try:
                with anyio.fail_after(max(0.0, patience)):
                    message = await receive()
            except TimeoutError as error:
                raise RequestTimeout(f"Only {received} bytes of the body came in time.") from error
            waited += anyio.current_time() - began
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if received > limit:
                raise too_large(f"The body is larger than {limit} bytes.")
            return message

        await self.app(scope, counted, send)

    def _refusal(
        self, scope: Scope, *, limit: int, too_large: type[ServiceError]
    ) -> ServiceError | None:
        headers = Headers(scope=scope)
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > MAX_TARGET_BYTES:
            return UriTooLong(f"The address is longer than {MAX_TARGET_BYTES} bytes.")
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size > MAX_HEADER_BYTES or len(scope["headers"]) > MAX_HEADERS:
            return HeadersTooLarge(
                f"At most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes together are read."
            )
        if "content-length" in headers and "transfer-encoding" in headers:
            return AmbiguousLength()
        host = HOST.fullmatch(headers.get("host", ""))
        name = host.group(1).strip("[]").lower() if host else None
        if name is None or ("*" not in self.allowed_hosts and name not in self.allowed_hosts):
            return InvalidHost("The Host header names no host that is served here.")
        if scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            return CrossOriginRefused("This service answers no page of another origin.")
        if scope["method"] not in SAFE_METHODS and _is_cross_origin(headers):
            return CrossOriginRefused("This service obeys no page of another origin.")
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > limit:
            return too_large(f"The body is {length} bytes long; at most {limit} are taken.")
        return None


def _is_cross_origin(headers: Headers) -> bool:
    """Whether a browser says that another origin's page sends this; other clients say nothing.

    Browsers tell the relation itself, which a proxy that changes the Host does not spoil; on plain
    HTTP beyond loopback they tell only the page's origin.
    """
    relation = headers.get("sec-fetch-site")
    if relation is not None:
        return relation not in {"same-origin", "none"}
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")
