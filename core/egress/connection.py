"""One HTTP/1.1 connection: a request goes out, a bounded reply comes in, one at a time.

h11 reads and writes the protocol; here are the bytes' way in, and what is refused.
"""

import asyncio

import h11

from core.egress.outcome import CallFailed, CallKind, Reply

# What a reply may bring beside its body: headers, and the frames of a body sent in pieces.
OVERHEAD_BYTES = 64 * 1024
TOO_LARGE = "The reply is too large."
CUT_SHORT = "The connection ended before the reply did."


class Connection(asyncio.Protocol):
    """Made by an event loop's `create_connection`; any failure closes it."""

    def __init__(self, *, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._loop = asyncio.get_running_loop()
        self._http = h11.Connection(h11.CLIENT)
        self._transport: asyncio.Transport | None = None
        self._closed = self._loop.create_future()
        self._answer: asyncio.Future[Reply] | None = None
        self._head: h11.Response | None = None
        self._body = bytearray()
        self._received = 0
        self.idle_since = self._loop.time()

    @property
    def is_reusable(self) -> bool:
        """Whether another request may go out: the last reply is complete, both sides stay."""
        is_open = self._transport is not None and not self._transport.is_closing()
        # A TLS transport does not count as closing when the other side has closed it.
        return is_open and not self._closed.done() and self._http.our_state is h11.IDLE

    def send(self, request: h11.Request, body: bytes) -> asyncio.Future[Reply]:
        """Write a whole request at once; returns what its reply, or a `CallFailed`, will be in.

        Not a coroutine, so that no frame that waits, or that a failure passes through, holds
        the request and the key in it.
        """
        assert self._transport is not None
        written = self._http.send(request) or b""
        if body:
            written += self._http.send(h11.Data(body)) or b""
        written += self._http.send(h11.EndOfMessage()) or b""
        self._head, self._received = None, 0
        self._body.clear()
        self._answer = self._loop.create_future()
        self._transport.write(written)
        return self._answer

    def abort(self) -> None:
        """Close at once; whoever waits for a reply is told of a reset."""
        if self._transport is not None:
            self._transport.abort()

    async def wait_closed(self) -> None:
        await asyncio.shield(self._closed)

    # --- what the event loop calls ---------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if not self._is_awaited:
            # Nobody asked: it must not pass for the reply to the next request.
            self.abort()
        elif self._received > 2 * self._max_body_bytes + OVERHEAD_BYTES:
            self._fail("too_large", TOO_LARGE)
        else:
            self._read(data)

    def eof_received(self) -> bool:
        if self._is_awaited:
            self._read(b"")
        self.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail("reset", CUT_SHORT)
        self._closed.set_result(None)

    # --- reading ---------------------------------------------------------------------------

    @property
    def _is_awaited(self) -> bool:
        return self._answer is not None and not self._answer.done()

    def _read(self, data: bytes) -> None:
        """Feed what came; nothing means that nothing more will come."""
        try:
            self._http.receive_data(data)
            while self._take(self._http.next_event()):
                pass
        except h11.RemoteProtocolError:
            if data:
                self._fail("protocol", "What the server sent is no HTTP/1.1.")
            else:
                self._fail("reset", CUT_SHORT)

    def _take(self, event: object) -> bool:
        """Make use of one event; returns whether there may be another."""
        match event:
            case h11.InformationalResponse():
                return True
            case h11.Response():
                self._head = event
                return self._accept(event)
            case h11.Data():
                self._body += event.data
                if len(self._body) > self._max_body_bytes:
                    self._fail("too_large", TOO_LARGE)
                    return False
                return True
            case h11.EndOfMessage():
                self._finish()
        return False

    def _accept(self, head: h11.Response) -> bool:
        """Refuse by its head a reply that is not worth reading; returns whether it is."""
        headers = dict(head.headers)
        length = headers.get(b"content-length", b"0")
        if 300 <= head.status_code < 400:
            self._fail("redirect", f"The server redirects ({head.status_code}); that is refused.")
        elif headers.get(b"content-encoding", b"identity").lower() != b"identity":
            # Decoding could make a small reply a huge one.
            self._fail("protocol", "The reply is encoded, which was not asked for.")
        elif int(length) > self._max_body_bytes:
            self._fail("too_large", TOO_LARGE)
        else:
            return True
        return False

    def _finish(self) -> None:
        assert self._answer is not None
        assert self._head is not None
        self._answer.set_result(
            Reply(self._head.status_code, _text_headers(self._head), bytes(self._body))
        )
        states = (self._http.our_state, self._http.their_state)
        if states == (h11.DONE, h11.DONE) and not self._http.trailing_data[0]:
            self._http.start_next_cycle()
            self.idle_since = self._loop.time()
        else:
            self.abort()

    def _fail(self, kind: CallKind, message: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(CallFailed(kind, message))
        self.abort()


def _text_headers(head: h11.Response) -> dict[str, str]:
    headers: dict[str, str] = {}
    for name, value in head.headers:
        key, text = name.decode("ascii"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers
