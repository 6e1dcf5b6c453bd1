"""A base URL is read in one way, or not at all."""

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.egress.errors import InvalidTeacherUrl, TeacherUrlForbidden
from core.egress.urls import Endpoint, parse_base_url

PIECES = [
    "http",
    "https",
    "s",
    "\u017f",
    "://",
    ":",
    "/",
    "//",
    "\\",
    "@",
    "?",
    "#",
    "%2f",
    "%",
    "..",
]
PIECES += [
    ".",
    "[",
    "]",
    "::1",
    "::ffff:",
    "127.0.0.1",
    "0x7f",
    "1",
    "0",
    "a",
    "K",
    "ß",
    "\u3002",
    "\uff11",
]
PIECES += ["example", "com", "xn--", "-", "_", " ", "\t", "\n", "\r", "\x00", "\u200b", "v1", "443"]


class TestABaseUrl:
    @pytest.mark.parametrize(
        ("text", "endpoint"),
        [
            ("https://api.openai.com/v1", Endpoint("https", "api.openai.com", 443, "/v1")),
            ("HTTPS://API.OpenAI.com/v1/", Endpoint("https", "api.openai.com", 443, "/v1")),
            ("https://api.openai.com.", Endpoint("https", "api.openai.com", 443)),
            ("http://vllm:8000", Endpoint("http", "vllm", 8000)),
            ("http://my_vllm:80/", Endpoint("http", "my_vllm", 80)),
            ("http://127.0.0.1:8000/a/b", Endpoint("http", "127.0.0.1", 8000, "/a/b")),
            ("https://[::1]:8443/v1", Endpoint("https", "::1", 8443, "/v1")),
            ("https://[2001:DB8:0::0:1]", Endpoint("https", "2001:db8::1", 443)),
            ("https://Bücher.example", Endpoint("https", "xn--bcher-kva.example", 443)),
            (
                "https://\uff41\uff50\uff49.openai\u3002com",
                Endpoint("https", "api.openai.com", 443),
            ),
        ],
    )
    def test_has_one_spelling(self, text: str, endpoint: Endpoint) -> None:
        assert parse_base_url(text) == endpoint
        assert parse_base_url(str(endpoint)) == endpoint

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "api.openai.com",
            "//api.openai.com",
            "file:///etc/passwd",
            "gopher://example.com/_x",
            "ftp://example.com",
            "javascript:alert(1)",
            "http\u017f://example.com",
            "https:/example.com",
            "https:///v1",
            "http://user:pw@h",
            "http://user@h",
            "https://api.openai.com@127.0.0.1",
            "https://127.0.0.1#@api.openai.com",
            "https://127.0.0.1\\@api.openai.com",
            "https://api.openai.com?x=1",
            "https://api.openai.com/v1?x=1",
            "https://api.openai.com/v1#x",
            "https://api.openai.com:",
            "https://api.openai.com:0",
            "https://api.openai.com:65536",
            "https://api.openai.com:-1",
            "https://api.openai.com:\uff14\uff14\uff13",
            "https://api.openai.com:80:80",
            "https://api.openai.com//v1",
            "https://api.openai.com/../v1",
            "https://api.openai.com/v1/..",
            "https://api.openai.com/./v1",
            "https://api.openai.com/%2e%2e/v1",
            "https://api.openai.com/v1 /",
            " https://api.openai.com",
            "https://api.openai.com\n",
            "https://api.openai.com/v1\r\nHost: x",
            "https://api.open\tai.com",
            "https://api.openai.com\x00.example.com",
            "https://%61pi.openai.com",
            "https://a b.com",
            "https://-a.com",
            "https://a..com",
            "https://.com",
            "https://\ud800.com",
            "https://\u2100.com",
            "https://[::1",
            "https://[fe80::1%25eth0]",
            "https://[::1]x",
            "https://[1.2.3.4]",
            "https://" + "a" * 64 + ".com",
            "https://" + "a." * 130 + "com",
            "https://example.com/" + "a" * 2048,
        ],
    )
    def test_that_is_none_is_refused(self, text: str) -> None:
        with pytest.raises(InvalidTeacherUrl) as refused:
            parse_base_url(text)
        assert (refused.value.status, refused.value.code) == (422, "invalid-teacher-url")

    def test_is_not_repeated_when_it_is_refused(self) -> None:
        with pytest.raises(InvalidTeacherUrl) as refused:
            parse_base_url("https://user:canary-password@example.com")
        assert "canary-password" not in repr(refused.value)

    @pytest.mark.parametrize(
        "host",
        [
            "2130706433",
            "0x7f000001",
            "0X7F.1",
            "127.1",
            "127.0.1",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.01",
            "0x",
            "1",
            "256.256.256.256",
            "1.2.3.4.5",
            "example.127",
            "\uff11\uff12\uff17.\uff11",
            "127\u30021",
            "\u2460\u2461\u2466.1",
            "127.1.",
        ],
    )
    def test_with_a_number_in_disguise_is_forbidden(self, host: str) -> None:
        with pytest.raises(TeacherUrlForbidden):
            parse_base_url(f"http://{host}:8000/v1")

    @given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
    def test_means_the_same_to_other_parsers(self, rest: str) -> None:
        try:
            endpoint = parse_base_url("https://" + rest)
        except (InvalidTeacherUrl, TeacherUrlForbidden):
            return
        assert parse_base_url(str(endpoint)) == endpoint
        other = urlsplit(str(endpoint))
        assert (other.scheme, other.hostname, other.port or 443, other.path) == (
            endpoint.scheme,
            endpoint.host,
            endpoint.port,
            endpoint.path,
        )
        assert (other.username, other.password, other.query, other.fragment) == (None, None, "", "")


class TestAPathBelowAnEndpoint:
    def test_is_added_to_the_endpoints_own(self) -> None:
        endpoint = parse_base_url("https://example.com/openai/v1/")
        assert endpoint.target("/chat/completions") == "/openai/v1/chat/completions"

    @pytest.mark.parametrize(
        "path", ["", "models", "/", "//h", "/../x", "/a/..", "/a?b", "/a#b", "/a b", "/a\r\nX: y"]
    )
    def test_cannot_leave_it(self, path: str) -> None:
        with pytest.raises(ValueError, match="is not a path"):
            parse_base_url("https://example.com/v1").target(path)


class TestTheAuthority:
    @pytest.mark.parametrize(
        ("text", "authority"),
        [
            ("https://example.com:443", "example.com"),
            ("http://example.com:80", "example.com"),
            ("http://example.com:443", "example.com:443"),
            ("https://[::1]:8443", "[::1]:8443"),
            ("https://[::1]", "[::1]"),
        ],
    )
    def test_names_a_port_that_is_not_the_usual_one(self, text: str, authority: str) -> None:
        assert parse_base_url(text).authority == authority
