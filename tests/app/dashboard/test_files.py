"""The page and its files: whole, cached by content, compressed, and shut off from other origins."""

import gzip
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.dashboard.files import STATIC

MODULES = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js"))


class TestReadDashboard:
    def test_the_page_comes_without_a_key_and_runs_only_what_is_served_here(
        self, client: TestClient
    ) -> None:
        answer = client.get("/")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy

    def test_a_page_that_is_held_already_is_not_sent_again(self, client: TestClient) -> None:
        tag = client.get("/").headers["etag"]
        again = client.get("/", headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == "no-cache"

    def test_the_page_names_nothing_outside_this_service(self) -> None:
        for path in STATIC.rglob("*"):
            if path.suffix in {".html", ".css", ".js"}:
                assert "https://" not in path.read_text(), path


class TestReadStatic:
    @pytest.mark.parametrize("name", [*MODULES, "style.css", "plotly.css", "icon.svg"])
    def test_a_file_is_served_as_what_it_is(self, client: TestClient, name: str) -> None:
        answer = client.get(f"/static/{name}")
        assert answer.content == (STATIC / name).read_bytes()
        kind = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
        assert answer.headers["content-type"].startswith(kind[Path(name).suffix])

    def test_plotly_is_the_packages_own_and_travels_compressed(self, client: TestClient) -> None:
        with client.stream(
            "GET", "/static/plotly.min.js", headers={"Accept-Encoding": "gzip"}
        ) as answer:
            raw = b"".join(answer.iter_raw())
        assert answer.headers["content-encoding"] == "gzip"
        assert len(raw) < 2_000_000
        assert b"plotly.js v" in gzip.decompress(raw)[:100]
        plain = client.get("/static/plotly.min.js", headers={"Accept-Encoding": "identity"})
        assert "content-encoding" not in plain.headers
        assert plain.headers["etag"] != answer.headers["etag"]

    @pytest.mark.parametrize(
        "name", ["../files.py", "%2e%2e/files.py", "..%2ffiles.py", "none.js", "", "views"]
    )
    def test_nothing_else_can_be_named(self, client: TestClient, name: str) -> None:
        answer = client.get(f"/static/{name}")
        assert answer.status_code == 404
        assert answer.json()["code"] == "not-found"

    @pytest.mark.parametrize("name", MODULES)
    def test_a_module_is_small_and_names_no_unsafe_way_into_the_page(self, name: str) -> None:
        text = (STATIC / name).read_text()
        assert len(text.splitlines()) <= 200
        unsafe = r"innerHTML|outerHTML\s*\+?=|insertAdjacentHTML|document\.write|\beval\("
        assert not re.search(unsafe, text)
