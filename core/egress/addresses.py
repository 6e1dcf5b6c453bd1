"""May this address be called?

The answer does not rest on `ipaddress.is_global` alone: that takes multicast, and
addresses that carry another one inside, for global, and knows different networks in
different releases of Python.
"""

from enum import Enum, auto
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network


class Reach(Enum):
    """Where a listed host may stand; never in both at once.

    A public name must not lead into our network, and what an operator calls private,
    perhaps without TLS, must not leave it.
    """

    PUBLIC = auto()
    PRIVATE = auto()


# RFC 1918, RFC 4193 and loopback. Not RFC 6598 (100.64.0.0/10): it belongs to the carrier.
PRIVATE: tuple[Subnet, ...] = tuple(
    map(
        ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128"),
    )
)
# What hands out a machine's credentials, as the clouds document it, wherever it would
# otherwise be allowed; the link-local ones are named for the reader, as no reach covers them.
METADATA: tuple[Subnet, ...] = tuple(
    map(
        ip_network,
        (
            "169.254.0.0/16",  # AWS, Azure, Google, Oracle, Tencent, Scaleway and others
            "168.63.129.16",  # Azure's host agent, an address of the public range
            "100.100.100.200",  # Alibaba
            "192.0.0.192",  # Oracle Cloud Classic
            "fd00:ec2::/32",  # AWS, with the credentials of EKS pods
            "fd20:ce::254",  # Google
            "fd00:c1::a9fe:a9fe",  # Oracle
            "fd00:42::42",  # Scaleway
            "fd00:a9fe:a9fe::1",  # Akamai
            "fd00:100::100:200",  # Alibaba
        ),
    )
)
# Not global by IANA's registries, whatever the installed release of Python says.
NEVER_GLOBAL: tuple[Subnet, ...] = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20", "2001:db8::/32"))
)
# The only part of IPv6 from which global unicast addresses are given out.
GLOBAL_UNICAST = IPv6Network("2000::/3")
# RFC 6052; its neighbour 64:ff9b:1::/48 is for local use and is global to nobody.
NAT64 = IPv6Network("64:ff9b::/96")


def is_acceptable(text: str, reach: Reach) -> bool:
    """Whether an address, as a resolver spells it, may be called for a host of this reach.

    What an address carries inside (IPv4-mapped, NAT64, 6to4, Teredo) is judged with it.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        # The system itself calls the IPv4 address, so that is the one to judge.
        address = address.ipv4_mapped or address
    carried = _carried(address)
    if any(part in network for part in (address, *carried) for network in METADATA):
        return False
    if reach is Reach.PRIVATE:
        return any(address in network for network in PRIVATE)
    return all(_is_global(part) for part in carried or (address,))


def _carried(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses to which a gateway may send on what is sent to this address."""
    if isinstance(address, IPv4Address):
        return ()
    if address in NAT64:
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    return address.teredo or ()


def _is_global(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return (
        address.is_global
        and not address.is_multicast
        and not any(address in network for network in NEVER_GLOBAL)
    )
