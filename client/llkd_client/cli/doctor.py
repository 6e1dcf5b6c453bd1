"""`llkd doctor`: what is configured, what is reachable, and what is missing."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from llkd_client.cli import output
from llkd_client.cli.exit_codes import FAILED, UNREACHABLE
from llkd_client.cli.output import AsJson

if TYPE_CHECKING:
    from llkd_client import Client

SERVICE = "service"
OK, ABSENT, MISSING = "ok", "absent", "missing"
MARKS = {OK: "✓", ABSENT: "·", MISSING: "✗"}
NVIDIA_SECONDS = 10
LOW_DISK_BYTES = 2 * 10**9
PACKAGES = ("llkd-client", "llkd-service", "torch", "transformers", "onnxruntime", "openvino")
CONFIGURED = ("LLKD_DATABASE_URL", "LLKD_REDIS_URL", "LLKD_DATA_DIR", "LLKD_TEACHER_HOSTS")


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; `missing` is what the service cannot do without."""

    name: str
    state: str
    detail: str


def doctor(context: typer.Context, as_json: AsJson = None) -> None:
    """Look at the address, the service, this machine; exits 69 or 1 if something is missing."""
    reached, is_here = _address(context.find_root().obj)
    findings = [*reached, *_machine(), _disk(is_here=is_here)]
    if output.wants_json(as_json):
        output.print_json({"findings": [asdict(each) for each in findings]})
    else:
        output.print_facts((f"{MARKS[each.state]} {each.name}", each.detail) for each in findings)
    if any(each.name == SERVICE and each.state == MISSING for each in reached):
        raise typer.Exit(UNREACHABLE)
    if any(each.state == MISSING for each in findings):
        raise typer.Exit(FAILED)


def _address(url: str | None) -> tuple[list[Finding], bool]:
    """What is found at the URL, and whether that is this machine."""
    from llkd_client import BadAddress, Client, RetryPolicy
    from llkd_client.address import Address

    try:
        with Client(url, retry=RetryPolicy(attempts=1)) as client:
            return list(_service(client, source=_source(url))), Address(client.url).is_here
    except BadAddress as error:
        return [Finding("URL", MISSING, str(error))], False


def _source(url: str | None) -> str:
    if not url:
        return "the default"
    return "from LLKD_URL" if url == os.environ.get("LLKD_URL") else "from --url"


def _service(client: "Client", *, source: str) -> Iterator[Finding]:
    key = "with a key" if os.environ.get("LLKD_API_KEY") else "without a key"
    yield Finding("URL", OK, f"{client.url} ({source}), {key}")
    alive = _asked(SERVICE, lambda: f"answers, version {_greeted(client)}")
    yield alive
    if alive.state == MISSING:
        return
    yield _asked("ready", lambda: f"{client.readyz().status}: database and files can be used")
    yield _asked("access", lambda: f"{len(list(client.jobs.list(limit=1)))} of its jobs was read")


def _greeted(client: "Client") -> str:
    client.healthz()
    return client.version().version


def _asked(name: str, ask: Callable[[], str]) -> Finding:
    from llkd_client.errors import LlkdError

    try:
        return Finding(name, OK, ask())
    except LlkdError as error:
        return Finding(name, MISSING, str(error))


def _machine() -> Iterator[Finding]:
    yield Finding("Python", OK, f"{sys.version.split()[0]} in {sys.prefix}")
    yield from map(_package, PACKAGES)
    yield _gpu()
    for name in CONFIGURED:
        # Names only: a URL may hold a password.
        is_set = bool(os.environ.get(name))
        yield Finding(name, OK if is_set else ABSENT, "is set" if is_set else "is not set here")


def _package(name: str) -> Finding:
    try:
        return Finding(name, OK, version(name))
    except PackageNotFoundError:
        return Finding(name, ABSENT, "is not installed here")


def _gpu() -> Finding:
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, timeout=NVIDIA_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return Finding("GPU", ABSENT, "nvidia-smi finds none")
    found = [line.strip() for line in asked.stdout.splitlines() if line.strip()]
    return Finding("GPU", OK if found else ABSENT, "; ".join(found) or "nvidia-smi finds none")


def _disk(*, is_here: bool) -> Finding:
    """Of the data folder, or of where it would be made; a service elsewhere does not need it."""
    folder = Path(os.environ.get("LLKD_DATA_DIR") or "var").absolute()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1e9:,.1f} GB free in {folder}"
    if free < LOW_DISK_BYTES:
        state = MISSING if is_here else ABSENT
        return Finding("disk", state, f"{detail}; a job may need {LOW_DISK_BYTES / 1e9:.0f}")
    return Finding("disk", OK, detail)
