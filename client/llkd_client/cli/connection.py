"""The client of a command: quick to say that nobody answers, patient once somebody has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from llkd_client import Client

# Someone waits at a terminal: about two seconds of trying, or as long as the service says, within
# half a minute.
FEW_ATTEMPTS = 3
FEW_SECONDS = 30.0


@contextmanager
def connected(context: typer.Context) -> Iterator["Client"]:
    """For a command that is over soon."""
    from llkd_client import Client, RetryPolicy

    retry = RetryPolicy(attempts=FEW_ATTEMPTS, longest_retry_after=FEW_SECONDS)
    with Client(_url(context), retry=retry) as client:
        yield client


@contextmanager
def patiently_connected(context: typer.Context) -> Iterator["Client"]:
    """For a command that shall outlive a restart of the service."""
    from llkd_client import Client

    with connected(context) as greeter:
        greeter.healthz()
    with Client(_url(context)) as client:
        yield client


def _url(context: typer.Context) -> str | None:
    url: str | None = context.find_root().obj
    return url
