"""The two things that a call asks of the system: a name's addresses, and a connection to one."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from functools import cache
from typing import Protocol, TypeVar

ProtocolT = TypeVar("ProtocolT", bound=asyncio.Protocol)


class Network(Protocol):
    """What `SystemNetwork` does; tests script it."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Every address of a name, in the order in which to try them.

        Raises:
            OSError: the name has none, or nobody answers.
        """

    async def connect(
        self,
        protocol: Callable[[], ProtocolT],
        address: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        server_name: str,
    ) -> ProtocolT:
        """Connect to exactly this address; over TLS its certificate must be `server_name`'s.

        Raises:
            ssl.SSLError: the TLS handshake failed.
            OSError: there is no connection.
        """


class SystemNetwork:
    """The running event loop's resolver and sockets. It reads no proxy settings."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [str(address[0]) for *_, address in found]

    async def connect(
        self,
        protocol: Callable[[], ProtocolT],
        address: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        server_name: str,
    ) -> ProtocolT:
        # The loop does not resolve what is an address already: nobody can answer twice.
        _, connected = await asyncio.get_running_loop().create_connection(
            protocol, address, port, ssl=tls, server_hostname=server_name if tls else None
        )
        return connected


@cache
def trusted_tls() -> ssl.SSLContext:
    """TLS with the system's trusted authorities; reading them takes tens of milliseconds, once."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
