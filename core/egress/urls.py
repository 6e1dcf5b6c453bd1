"""Which server does a base URL name? Parsed once, in one spelling, for everyone after."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal

import idna

from core.egress.errors import InvalidTeacherUrl, TeacherUrlForbidden

Scheme = Literal["http", "https"]
USUAL_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
MAX_URL_LENGTH = 2048
MAX_HOST_LENGTH = 253

# Segments of unreserved characters and colons; none is `.`, `..` or empty, so that nobody
# after us can read another path out of it.
_SEGMENT = r"/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~:-]+"
_PATH = re.compile(rf"(?:{_SEGMENT})+")
# A host is what cannot be a port, a user, a path, a query, a fragment or an escape.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@:\[\]\\%]+)"
    rf"(?::(?P<port>[0-9]{{1,5}}))?(?P<path>(?:{_SEGMENT})*)/?",
    # ASCII: otherwise ignoring case takes the long s of "http\u017f" for an s.
    re.IGNORECASE | re.ASCII,
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
# What resolvers and URL parsers take for a number: 1, 0177, 0x7f, 0x.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True)
class Endpoint:
    """One server, and the path below which its API stands.

    Attributes:
        host: a name in ASCII and lower case, or an address as `ipaddress` writes it
            (IPv6 without brackets).
        port: 1-65535.
        path: begins with a slash and does not end with one; empty for the root.
    """

    scheme: Scheme
    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """The host as URLs and `Host` headers write it, with its port unless that is usual."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == USUAL_PORTS[self.scheme] else f"{host}:{self.port}"

    def target(self, path: str) -> str:
        """The request target of a path below this endpoint.

        Raises:
            ValueError: it is not slash-led segments of plain characters.
        """
        if not _PATH.fullmatch(path):
            raise ValueError(f"{path!r} is not a path below an endpoint")
        return f"{self.path}{path}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse_base_url(text: str) -> Endpoint:
    """Parse what a user calls a teacher's base URL; says nothing of whether it may be called.

    Raises:
        InvalidTeacherUrl: it is no http(s) URL of a host, a port and a plain path.
        TeacherUrlForbidden: its host is a number in disguise, as 127.1, 0x7f000001 or
            2130706433 are; resolvers would take it for an address.
    """
    match = _URL.fullmatch(text) if len(text) <= MAX_URL_LENGTH else None
    if match is None:
        raise InvalidTeacherUrl
    scheme: Scheme = "https" if match["scheme"].lower() == "https" else "http"
    port = int(match["port"] or USUAL_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise InvalidTeacherUrl
    return Endpoint(scheme, _canonical_host(match["host"]), port, match["path"])


def _canonical_host(text: str) -> str:
    if text.startswith("["):
        try:
            return str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise InvalidTeacherUrl from None
    # One dot at the end only tells a resolver to search no further.
    name = _to_ascii(text).removesuffix(".")
    if len(name) > MAX_HOST_LENGTH or not _NAME.fullmatch(name):
        raise InvalidTeacherUrl
    # No name under a numeric top-level domain exists (RFC 3696, section 2), so what ends in a
    # number is meant as an address; only the usual spelling of one is taken.
    if _NUMBER.fullmatch(name.rpartition(".")[2]) and not _is_ipv4(name):
        raise TeacherUrlForbidden
    return name


def _to_ascii(text: str) -> str:
    if text.isascii():
        return text.lower()
    try:
        # UTS 46 is how browsers read a name; it also turns full-width digits into digits,
        # which is why addresses are looked for in what comes out.
        return idna.encode(text, uts46=True).decode("ascii")
    except UnicodeError:
        raise InvalidTeacherUrl from None


def _is_ipv4(text: str) -> bool:
    try:
        return str(ipaddress.IPv4Address(text)) == text
    except ValueError:
        return False
