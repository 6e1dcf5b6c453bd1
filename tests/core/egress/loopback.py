"""Servers on loopback that misbehave as told, and a network whose names lead where a test says."""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from core.egress.network import ProtocolT, SystemNetwork

HOST = "127.0.0.1"


@dataclass
class Received:
    """One request, as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """What a test may ask a server about."""

    port: int = 0
    accepted: int = 0
    talking: int = 0
    # Out of its repr: a failed test shows that, and a key stands in it.
    received: list[Received] = field(default_factory=list, repr=False)

    async def hung_up(self) -> None:
        """Return when no connection is left, and the client had a turn to notice."""
        async with asyncio.timeout(10):
            while self.talking:
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)


class Conversation:
    """One accepted connection, as a script sees it."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._server = server
        self._reader = reader
        self._writer = writer
        self.is_first = server.accepted == 1

    async def hear(self) -> bool:
        """Read one request; False if the client closed instead."""
        try:
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode("ascii")
        except (asyncio.IncompleteReadError, ConnectionError):
            return False
        line, *lines = head.rstrip().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (each.partition(": ") for each in lines)
        }
        body = await self._reader.readexactly(int(headers.get("content-length", "0")))
        self._server.received.append(Received(line, headers, body))
        return True

    def say(self, raw: bytes) -> None:
        self._writer.write(raw)

    async def flush(self) -> None:
        await self._writer.drain()

    async def wait_for_the_end(self) -> None:
        """Until the client closes."""
        await self._reader.read()

    def reset(self) -> None:
        self._writer.transport.abort()


Script = Callable[[Conversation], Awaitable[None]]


def http(
    body: bytes = b"{}",
    *,
    status: str = "200 OK",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def answering(*raw: bytes) -> Script:
    """Answer each request on a connection with the next of these, the last one ever after."""

    async def script(conversation: Conversation) -> None:
        turn = 0
        while await conversation.hear():
            conversation.say(raw[min(turn, len(raw) - 1)])
            turn += 1

    return script


def answering_once(raw: bytes) -> Script:
    """Answer one request and close."""

    async def script(conversation: Conversation) -> None:
        if await conversation.hear():
            conversation.say(raw)

    return script


async def silent(conversation: Conversation) -> None:
    """Read and never answer."""
    await conversation.wait_for_the_end()


@asynccontextmanager
async def serving(
    script: Script = silent, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    server = Server()
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.accepted += 1
        server.talking += 1
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        # The client may hang up, and the test may end: neither is news.
        with suppress(ConnectionError, asyncio.CancelledError):
            await script(Conversation(server, reader, writer))
        writer.close()
        talks.discard(task)
        server.talking -= 1

    listening = await asyncio.start_server(talk, HOST, 0, ssl=tls)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
        for task in list(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


class ScriptedNetwork(SystemNetwork):
    """Answers names as told, and leads other addresses to ports of loopback.

    Attributes:
        answers: one list of addresses a question, the last one ever after.
        leads: the loopback port that stands for an address; what is not named is called as it is.
        asked: the names asked for.
        dialled: the addresses connected to, in order.
    """

    def __init__(self, *answers: Sequence[str], leads: Mapping[str, int] | None = None) -> None:
        self.answers = list(answers)
        self.leads = dict(leads or {})
        self.asked: list[str] = []
        self.dialled: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def connect(
        self,
        protocol: Callable[[], ProtocolT],
        address: str,
        port: int,
        *,
        tls: ssl.SSLContext | None,
        server_name: str,
    ) -> ProtocolT:
        self.dialled.append(address)
        if address in self.leads:
            address, port = HOST, self.leads[address]
        return await super().connect(protocol, address, port, tls=tls, server_name=server_name)


@dataclass(frozen=True)
class Identity:
    """A self-signed certificate: the server's side, and a client that trusts it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def self_signed(name: str, *, folder: Path) -> Identity:
    """An identity of one host name or address."""
    try:
        subject: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([subject]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path = folder / "identity.pem"
    path.write_bytes(private + certificate)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(path)
    return Identity(server, ssl.create_default_context(cadata=certificate.decode("ascii")))
