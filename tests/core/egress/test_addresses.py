"""Which addresses may be called, for a public and for a private host."""

import pytest

from core.egress.addresses import METADATA, Reach, is_acceptable

PUBLIC = [
    "93.184.216.34",
    "8.8.8.8",
    "172.15.255.255",
    "172.32.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "2606:2800:220:1:248:1893:25c8:1946",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "::1",
    "fc00::1",
    "fd12:3456:789a::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
]
METADATA_ADDRESSES = [
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",
    "fd00:100::100:200",
    "::ffff:169.254.169.254",
    "::ffff:168.63.129.16",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::a83f:8110",
    "2002:a9fe:a9fe::",
    "2002:a83f:8110::1",
    "2001:0:a9fe:a9fe::1",
    # Teredo writes its client's address inverted: this is 169.254.169.254's.
    "2001:0:808:808::5601:5601",
]
NEVER = [
    *METADATA_ADDRESSES,
    "",
    "localhost",
    "127.1",
    "2130706433",
    "0.0.0.0",
    "0.1.2.3",
    "100.64.0.1",
    "100.127.255.255",
    "169.254.1.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::7f00:1",
    "::8.8.8.8",
    "::ffff:0:808:808",
    "::ffff:100.64.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001:0:7f00:1::f7f7:f7f7",
    "2001:0:808:808::80ff:fffe",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:6440:1::1",
    "3fff::1",
    "4000::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
]


class TestAPublicHost:
    @pytest.mark.parametrize("address", PUBLIC)
    def test_may_have_a_global_address(self, address: str) -> None:
        assert is_acceptable(address, Reach.PUBLIC)

    @pytest.mark.parametrize("address", PRIVATE + NEVER)
    def test_may_have_no_other(self, address: str) -> None:
        assert not is_acceptable(address, Reach.PUBLIC)


class TestAPrivateHost:
    @pytest.mark.parametrize("address", PRIVATE)
    def test_may_have_an_address_of_the_operators_network(self, address: str) -> None:
        assert is_acceptable(address, Reach.PRIVATE)

    @pytest.mark.parametrize("address", PUBLIC + NEVER)
    def test_may_have_no_other(self, address: str) -> None:
        assert not is_acceptable(address, Reach.PRIVATE)


class TestAMetadataAddress:
    @pytest.mark.parametrize("network", METADATA, ids=str)
    @pytest.mark.parametrize("reach", Reach)
    def test_is_never_called(self, network: object, reach: Reach) -> None:
        assert not is_acceptable(str(network).partition("/")[0], reach)
