"""Which servers has the operator named as teachers?

There are no wildcards and no networks: a list of servers is what an operator can read
over, and a wildcard over a provider's domain would let in whoever rents a name there.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.egress.addresses import Reach, is_acceptable
from core.egress.errors import InvalidTeacherUrl, TeacherUrlForbidden
from core.egress.urls import Endpoint, Scheme, parse_base_url

DEFAULT_TEACHER_HOSTS = ("api.openai.com",)
_PRIVATE_MARK = "=private"
_ServerKey = tuple[Scheme, str, int]


@dataclass(frozen=True)
class AllowList:
    """The named servers, and where each of them may stand.

    An entry is `HOST`, `HOST:PORT` or either after `https://` or `http://`. Without a scheme it
    is https, without a port the scheme's own. Private and loopback addresses are allowed for an
    entry, and public ones no longer, if it

    - is http, which never leaves the operator's network: `http://vllm:8000`;
    - is such an address, or localhost: `127.0.0.1:8443`;
    - says so: `https://gpu.corp.example=private`.
    """

    _reaches: Mapping[_ServerKey, Reach]

    @classmethod
    def parse(cls, entries: Iterable[str]) -> "AllowList":
        """Read an operator's entries.

        Raises:
            ValueError: an entry is none, contradicts another, or names what is never called.
        """
        reaches: dict[_ServerKey, Reach] = {}
        for entry in entries:
            server, reach = _parse_entry(entry)
            if reaches.setdefault(server, reach) is not reach:
                raise ValueError(f"{entry!r} is listed as public and as private")
        return cls(MappingProxyType(reaches))

    def reach(self, endpoint: Endpoint) -> Reach:
        """Where the endpoint's server may stand; the path is the user's to choose.

        Raises:
            TeacherUrlForbidden: the operator has not named this scheme, host and port.
        """
        reach = self._reaches.get((endpoint.scheme, endpoint.host, endpoint.port))
        if reach is None:
            raise TeacherUrlForbidden
        return reach


def _parse_entry(entry: str) -> tuple[_ServerKey, Reach]:
    server = entry.removesuffix(_PRIVATE_MARK)
    try:
        endpoint = parse_base_url(server if "://" in server else f"https://{server}")
    except (InvalidTeacherUrl, TeacherUrlForbidden):
        endpoint = None
    if endpoint is None or endpoint.path:
        raise ValueError(f"{entry!r} is not [http://]HOST[:PORT][{_PRIVATE_MARK}]")
    is_private = server != entry or endpoint.scheme == "http" or _is_private_host(endpoint.host)
    reach = Reach.PRIVATE if is_private else Reach.PUBLIC
    if _is_address(endpoint.host) and not is_acceptable(endpoint.host, reach):
        raise ValueError(f"{entry!r} is an address that is never called this way")
    return (endpoint.scheme, endpoint.host, endpoint.port), reach


def _is_private_host(host: str) -> bool:
    # RFC 6761: names under localhost are loopback.
    return host == "localhost" or host.endswith(".localhost") or is_acceptable(host, Reach.PRIVATE)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
