"""What the service says of itself."""

from llkd_client.operations import Core, Operation
from llkd_client.requests import Request
from llkd_client.shapes.service import Health, Version


def version(core: Core, /) -> Operation[Version]:
    return core.fetch(Version, Request("GET", "/version"))


def healthz(core: Core, /) -> Operation[Health]:
    """The process answers."""
    return core.fetch(Health, Request("GET", "/healthz"))


def readyz(core: Core, /) -> Operation[Health]:
    """Raises Overloaded: something that it needs is away."""
    return core.fetch(Health, Request("GET", "/readyz"))
