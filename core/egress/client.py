"""How one teacher's server is called: few connections, kept open, and bounds on everything.

It follows no redirect, keeps no cookie, reads no proxy, .netrc or other file, and retries
nothing: when to call again is its caller's question.
"""

import asyncio
import re
import ssl
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType, TracebackType
from typing import Literal, Self

import h11
from pydantic import SecretStr

from core.egress.allow_list import AllowList
from core.egress.connection import Connection
from core.egress.network import Network, SystemNetwork, trusted_tls
from core.egress.opening import Opener
from core.egress.outcome import CallFailed, Reply
from core.egress.urls import Endpoint
from core.errors import ValidationFailed

MAX_BODY_BYTES = 1024 * 1024
CALL_SECONDS = 60.0
CONNECT_SECONDS = 5.0
# Many local servers close what was idle for 5 seconds (uvicorn's default). Closing first
# keeps a request from meeting that.
IDLE_SECONDS = 4.0

_BEARER = re.compile(r"[\x21-\x7e]+")
_COMMON_HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "llkd-service",
    }
)


class Caller:
    """Calls one endpoint, with the one key that belongs to it.

    The key is given once, together with the endpoint, and no method takes another URL: it
    cannot be sent anywhere else. To be used in one event loop.

    Raises:
        TeacherUrlForbidden: the operator has not listed the endpoint.
        ValidationFailed: the key cannot stand in a header.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        allow_list: AllowList,
        *,
        key: SecretStr | None = None,
        network: Network | None = None,
        tls: ssl.SSLContext | None = None,
        max_connections: int = 64,
        max_body_bytes: int = MAX_BODY_BYTES,
        connect_s: float = CONNECT_SECONDS,
    ) -> None:
        reach = allow_list.reach(endpoint)
        if key is not None and not _BEARER.fullmatch(key.get_secret_value()):
            raise ValidationFailed("A teacher's key is made of visible ASCII characters.")
        self._endpoint = endpoint
        self._key = key
        self._slots = asyncio.Semaphore(max_connections)
        self._idle: list[Connection] = []
        self._is_closed = False
        self._opener = Opener(
            endpoint,
            reach,
            network=network or SystemNetwork(),
            tls=(tls or trusted_tls()) if endpoint.scheme == "https" else None,
            connect_s=connect_s,
            make_connection=partial(Connection, max_body_bytes=max_body_bytes),
        )

    def __repr__(self) -> str:
        return f"Caller({str(self._endpoint)!r})"

    async def post(self, path: str, body: bytes, *, timeout_s: float = CALL_SECONDS) -> Reply:
        """Send a JSON body to a path below the endpoint.

        Args:
            timeout_s: for all of it, from waiting for a connection to the reply's last byte.

        Raises:
            CallFailed: there is no reply, or one that is refused.
        """
        return await self._call("POST", path, body, timeout_s=timeout_s)

    async def get(self, path: str, *, timeout_s: float = CALL_SECONDS) -> Reply:
        """Ask for a path below the endpoint; arguments and errors as for `post`."""
        return await self._call("GET", path, b"", timeout_s=timeout_s)

    async def aclose(self) -> None:
        """Close what is idle now, and what is in use as soon as its call ends."""
        self._is_closed = True
        closing, self._idle = self._idle, []
        for connection in closing:
            connection.abort()
        for connection in closing:
            await connection.wait_closed()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _call(
        self, method: Literal["GET", "POST"], path: str, body: bytes, *, timeout_s: float
    ) -> Reply:
        target = self._endpoint.target(path)
        is_sent = False
        try:
            async with asyncio.timeout(timeout_s), self._slots:
                connection = self._take_idle() or await self._opener.open()
                try:
                    answer = connection.send(self._request(method, target, len(body)), body)
                    is_sent = True
                    return await answer
                finally:
                    self._put_back(connection)
        except TimeoutError:
            raise self._out_of_time(timeout_s, is_sent=is_sent) from None

    def _request(self, method: str, target: str, length: int) -> h11.Request:
        headers = {"Host": self._endpoint.authority, **_COMMON_HEADERS}
        if method == "POST":
            headers["Content-Length"] = str(length)
        if self._key is not None:
            headers["Authorization"] = f"Bearer {self._key.get_secret_value()}"
        return h11.Request(method=method, target=target, headers=list(headers.items()))

    def _take_idle(self) -> Connection | None:
        if self._is_closed:
            raise RuntimeError("this caller is closed")
        now = asyncio.get_running_loop().time()
        # The last one put back first: those that are not needed grow old and go.
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable and now - connection.idle_since < IDLE_SECONDS:
                return connection
            connection.abort()
        return None

    def _put_back(self, connection: Connection) -> None:
        if connection.is_reusable and not self._is_closed:
            self._idle.append(connection)
        else:
            connection.abort()

    def _out_of_time(self, timeout_s: float, *, is_sent: bool) -> CallFailed:
        if is_sent:
            return CallFailed(
                "timeout", f"{self._endpoint.authority} did not reply in {timeout_s:g} s."
            )
        return CallFailed(
            "connect", f"No connection to {self._endpoint.authority} in {timeout_s:g} s."
        )
