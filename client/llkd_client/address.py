"""Where the service is and who asks: from arguments, else from the environment."""

import os
from dataclasses import dataclass, field

import httpx

from llkd_client.errors import BadAddress

URL_VARIABLE = "LLKD_URL"
KEY_VARIABLE = "LLKD_API_KEY"
DEFAULT_URL = "http://127.0.0.1:8000"
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True)
class Address:
    """A service's URL, without a slash at its end, and the key to show it."""

    url: str
    key: str | None = field(default=None, repr=False)

    @property
    def is_here(self) -> bool:
        """On this machine: a proxy of the environment has no part in it."""
        return httpx.URL(self.url).host in LOOPBACK

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.key is None else {"Authorization": f"Bearer {self.key}"}


def find_address(url: str | None, key: str | None) -> Address:
    """What was given, else LLKD_URL and LLKD_API_KEY, else the service on this machine.

    Raises:
        BadAddress: it is no http or https URL, or holds a password, or the key no header can hold.
    """
    asked = url or os.environ.get(URL_VARIABLE) or DEFAULT_URL
    return Address(_checked_url(asked), _checked_key(key or os.environ.get(KEY_VARIABLE)))


def _checked_url(asked: str) -> str:
    try:
        parsed = httpx.URL(asked.strip())
    except httpx.InvalidURL as error:
        raise BadAddress(f"{URL_VARIABLE} is no URL: {error}") from None
    if parsed.userinfo:
        raise BadAddress(f"A URL holds no password; put the key into {KEY_VARIABLE}.")
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise BadAddress(f"{asked!r} is no http or https URL, such as {DEFAULT_URL}.")
    return str(parsed.copy_with(query=None, fragment=None)).rstrip("/")


def _checked_key(asked: str | None) -> str | None:
    key = (asked or "").strip()
    if not key:
        return None
    if not (key.isascii() and key.isprintable()):
        raise BadAddress(f"{KEY_VARIABLE} holds characters that no header can.")
    return key
