"""How a connection to an endpoint is opened: resolve once, check every address, use only those."""

import asyncio
import ssl
from collections.abc import Callable, Sequence

from core.egress.addresses import Reach, is_acceptable
from core.egress.connection import Connection
from core.egress.network import Network
from core.egress.outcome import CallFailed
from core.egress.urls import Endpoint

# Enough for a server's first addresses of both families; more would leave each too little time.
MAX_TRIED = 4


class Opener:
    """Opens connections to one endpoint.

    The name is resolved and checked anew for every connection, and the connection goes to the
    address that was checked: an answer that changes in between changes nothing.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        reach: Reach,
        *,
        network: Network,
        tls: ssl.SSLContext | None,
        connect_s: float,
        make_connection: Callable[[], Connection],
    ) -> None:
        self._endpoint = endpoint
        self._reach = reach
        self._network = network
        self._tls = tls
        self._connect_s = connect_s
        self._make_connection = make_connection

    async def open(self) -> Connection:
        """A new connection, within `connect_s` seconds for its addresses and as many for itself.

        Raises:
            CallFailed: "dns", "forbidden", "connect" or "tls".
        """
        addresses = await self._resolve()
        if not all(is_acceptable(address, self._reach) for address in addresses):
            raise CallFailed(
                "forbidden", f"{self._endpoint.host} stands for an address that may not be called."
            )
        tried = addresses[:MAX_TRIED]
        for address in tried:
            connection = await self._try(address, within_s=self._connect_s / len(tried))
            if connection is not None:
                return connection
        raise CallFailed("connect", f"{self._endpoint.authority} takes no connection.")

    async def _resolve(self) -> Sequence[str]:
        try:
            async with asyncio.timeout(self._connect_s):
                addresses = await self._network.resolve(self._endpoint.host, self._endpoint.port)
        except OSError:  # Of a name without an address, and of time that ran out.
            addresses = []
        if not addresses:
            raise CallFailed("dns", f"No address is known for {self._endpoint.host}.")
        # A resolver names an address once for each of several kinds of socket.
        return list(dict.fromkeys(addresses))

    async def _try(self, address: str, *, within_s: float) -> Connection | None:
        try:
            async with asyncio.timeout(within_s):
                return await self._network.connect(
                    self._make_connection,
                    address,
                    self._endpoint.port,
                    tls=self._tls,
                    server_name=self._endpoint.host,
                )
        except ssl.SSLError as error:
            raise CallFailed(
                "tls", f"{self._endpoint.authority} is not trusted: {_why(error)}."
            ) from None
        except OSError:  # Refused, unreachable or too slow: perhaps another address answers.
            return None


def _why(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return "the TLS handshake failed"
