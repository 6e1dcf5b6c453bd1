"""The client of a command: quick to say that nobody answers, patient once somebody has."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from llkd_client.cli.output import say_over

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
    from llkd_client.progress import telling_long_waits

    told = telling_long_waits(say_over)
    retry = RetryPolicy(attempts=FEW_ATTEMPTS, longest_retry_after=FEW_SECONDS, on_wait=told)
    with Client(_url(context), retry=retry) as client:
        yield client


@contextmanager
def patiently_connected(context: typer.Context) -> Iterator["Client"]:
    """For a command that shall outlive a restart of the service."""
    from llkd_client import Client, RetryPolicy
    from llkd_client.progress import telling_long_waits

    with connected(context) as greeter:
        greeter.healthz()
    retry = RetryPolicy(on_wait=telling_long_waits(say_over))
    with Client(_url(context), retry=retry) as client:
        yield client


def _url(context: typer.Context) -> str | None:
    url: str | None = context.find_root().obj
    return url
