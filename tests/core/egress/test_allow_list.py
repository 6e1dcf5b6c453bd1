"""What the operator has not listed is not called, and nobody is told why."""

import pytest

from core.egress.addresses import Reach
from core.egress.allow_list import DEFAULT_TEACHER_HOSTS, AllowList
from core.egress.errors import TeacherUrlForbidden
from core.egress.urls import parse_base_url

BAD_URLS = [
    "http://127.0.0.1",
    "https://127.0.0.1",
    "http://127.0.0.1:8000/v1",
    "http://2130706433",
    "http://0x7f000001",
    "http://127.1",
    "http://0177.0.0.1",
    "http://[::ffff:169.254.169.254]",
    "http://[64:ff9b::a9fe:a9fe]",
    "http://[2002:a9fe:a9fe::]",
    "http://[::1]",
    "http://169.254.169.254/latest",
    "http://100.64.0.1",
    "http://localhost",
    "http://metadata.google.internal",
    "https://example.com",
    "http://api.openai.com/v1",
    "https://api.openai.com:8443/v1",
    "https://api.openai.com.evil.example",
    "https://evil-api.openai.com",
    "https://openai.com",
    "https://\u0430\u0440i.openai.com",
]


def reach(entries: list[str], url: str) -> Reach:
    return AllowList.parse(entries).reach(parse_base_url(url))


class TestTheDefaultList:
    def test_names_openai_and_nothing_private(self) -> None:
        listed = AllowList.parse(DEFAULT_TEACHER_HOSTS)
        assert listed.reach(parse_base_url("https://api.openai.com/v1")) is Reach.PUBLIC

    @pytest.mark.parametrize("url", BAD_URLS)
    def test_refuses_all_else_in_the_same_words(self, url: str) -> None:
        with pytest.raises(TeacherUrlForbidden) as refused:
            AllowList.parse(DEFAULT_TEACHER_HOSTS).reach(parse_base_url(url))
        error = refused.value
        assert (error.status, error.code) == (422, "teacher-url-forbidden")
        assert (error.detail, error.errors) == (TeacherUrlForbidden().detail, ())


class TestAnEntry:
    @pytest.mark.parametrize(
        ("entry", "url", "expected"),
        [
            ("api.example.com", "https://api.example.com/any/path", Reach.PUBLIC),
            ("API.Example.com:443", "https://api.example.com", Reach.PUBLIC),
            ("https://api.example.com:8443", "https://api.example.com:8443", Reach.PUBLIC),
            ("8.8.8.8", "https://8.8.8.8", Reach.PUBLIC),
            ("http://vllm:8000", "http://vllm:8000/v1", Reach.PRIVATE),
            ("127.0.0.1:8443", "https://127.0.0.1:8443", Reach.PRIVATE),
            ("[::1]:8443", "https://[::1]:8443", Reach.PRIVATE),
            ("localhost", "https://localhost", Reach.PRIVATE),
            ("gpu.localhost", "https://gpu.localhost", Reach.PRIVATE),
            ("gpu.corp.example=private", "https://gpu.corp.example", Reach.PRIVATE),
        ],
    )
    def test_says_where_its_host_may_stand(self, entry: str, url: str, expected: Reach) -> None:
        assert reach([entry], url) is expected

    @pytest.mark.parametrize(
        ("entry", "url"),
        [
            ("http://vllm:8000", "http://vllm"),
            ("http://vllm:8000", "https://vllm:8000"),
            ("http://vllm:8000", "http://vllm.example:8000"),
            ("http://127.0.0.1:8000", "http://127.0.0.2:8000"),
            ("http://127.0.0.1:8000", "http://localhost:8000"),
            ("http://localhost:8000", "http://127.0.0.1:8000"),
        ],
    )
    def test_names_one_scheme_host_and_port(self, entry: str, url: str) -> None:
        with pytest.raises(TeacherUrlForbidden):
            reach([entry], url)

    @pytest.mark.parametrize(
        "entry",
        [
            "",
            "*",
            "*.example.com",
            "10.0.0.0/8",
            "https://example.com/v1",
            "ftp://example.com",
            "user@example.com",
            "127.1",
            "example.com:0",
            "http://169.254.169.254",
            "169.254.169.254",
            "[fd00:ec2::254]",
            "168.63.129.16",
            "168.63.129.16=private",
            "http://8.8.8.8",
            "0.0.0.0",
            "100.64.0.1",
        ],
    )
    def test_that_could_never_be_called_stops_the_start(self, entry: str) -> None:
        with pytest.raises(ValueError, match=r"is not|is an address that is never"):
            AllowList.parse([entry])

    def test_that_contradicts_another_stops_the_start(self) -> None:
        with pytest.raises(ValueError, match="public and as private"):
            AllowList.parse(["gpu.example", "https://gpu.example:443=private"])

    def test_may_stand_twice(self) -> None:
        assert reach(["a.example", "https://a.example"], "https://a.example") is Reach.PUBLIC


class TestAnEmptyList:
    def test_lets_nothing_through(self) -> None:
        with pytest.raises(TeacherUrlForbidden):
            reach([], "https://api.openai.com")
