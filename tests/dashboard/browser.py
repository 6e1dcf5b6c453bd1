"""A real Chromium, and all that it complains of while a test looks at a page."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Route,
    sync_playwright,
)

# What a browser does by itself has no place in a test: updates, first-run pages, other protocols.
OPTIONS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# A violation is a console error already; this also tells of one that is only reported.
TELL_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP ${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));
"""


class ChromiumMissing(Exception):
    """The dashboard's tests need a browser."""


def find_chromium() -> str:
    """LLKD_CHROMIUM, or the system's own.

    Raises:
        ChromiumMissing: there is none; the message has the command that brings it.
    """
    given = os.environ.get("LLKD_CHROMIUM")
    names = [given] if given else ["chromium", "chromium-browser", "google-chrome"]
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    raise ChromiumMissing(
        f"no {' or '.join(names)} on this machine; on Debian:"
        " apt-get install --no-install-recommends chromium"
        " (or LLKD_CHROMIUM=/path/to/chromium)"
    )


@contextmanager
def running_chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(OPTIONS))
        yield browser
        browser.close()


class Complaints:
    """What a page said on its console, threw, or asked of another host.

    A test that makes the service refuse something says so first, by `expect`: the browser calls
    every answer of 400 and more an error.
    """

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._found: list[str] = []
        self._expected: list[str] = []

    def expect(self, pattern: str) -> None:
        self._expected.append(pattern)

    def watch(self, context: BrowserContext) -> None:
        context.add_init_script(TELL_VIOLATIONS)
        context.on("console", self._console)
        context.on("weberror", lambda error: self._found.append(f"thrown: {error.error}"))
        context.route(re.compile(rf"^(?!{re.escape(self._base_url)}/|data:|blob:)"), self._stranger)

    def check(self) -> None:
        unexpected = [
            told
            for told in self._found
            if not any(re.search(pattern, told) for pattern in self._expected)
        ]
        assert not unexpected, "the browser complains:\n" + "\n".join(unexpected)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            place = message.location
            self._found.append(f"{message.type}: {message.text} ({place.get('url', '')})")

    def _stranger(self, route: Route) -> None:
        self._found.append(f"asked of another host: {route.request.url}")
        route.abort()


@contextmanager
def open_page(
    browser: Browser,
    base_url: str,
    *,
    complaints: Complaints,
    theme: Literal["light", "dark"] = "light",
    width: int = 1280,
) -> Iterator[Page]:
    context = browser.new_context(
        base_url=base_url,
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        accept_downloads=True,
        reduced_motion="reduce",
    )
    context.set_default_timeout(30_000)
    complaints.watch(context)
    try:
        yield context.new_page()
    finally:
        # What a test puts between page and service may be in the middle of an answer.
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")
        context.unroute_all(behavior="ignoreErrors")
        context.close()


def save_screenshot(page: Page, name: str) -> None:
    """Into LLKD_SCREENSHOTS, if that names a folder: for a person to look at."""
    folder = os.environ.get("LLKD_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


__all__ = [
    "ChromiumMissing",
    "Complaints",
    "find_chromium",
    "open_page",
    "running_chromium",
    "save_screenshot",
]
