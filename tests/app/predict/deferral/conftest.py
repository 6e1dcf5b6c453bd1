"""A teacher's server that a test scripts."""

from collections.abc import Iterator

import pytest

from tests.fault_server import ANSWERS, FaultServer, always, faulty


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """It answers until a test says otherwise."""
    with faulty(always(ANSWERS)) as server:
        yield server
