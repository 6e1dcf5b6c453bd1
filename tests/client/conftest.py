"""A real service that has made a model, for all tests of this folder that want one."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from llkd_client import Job
from tests.client.parts import client_of_kind, close_clients

if TYPE_CHECKING:
    from tests.acceptance.deployment import Deployment

GOLD = 60
# Where a teacher might be, and none is.
NOBODY = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def _nobody_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No address or key of whoever runs the tests, and no client left open."""
    monkeypatch.delenv("LLKD_URL", raising=False)
    monkeypatch.delenv("LLKD_API_KEY", raising=False)
    yield
    close_clients()


@dataclass
class Served:
    """A service with a worker, and a job there that has succeeded."""

    deployment: "Deployment"
    api: subprocess.Popen[bytes]
    job: Job

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.deployment.port}"

    @property
    def model(self) -> str:
        assert self.job.model_id is not None
        return self.job.model_id

    def client(self, kind: str = "sync", **options: Any) -> Any:
        return client_of_kind(kind, self.url, **options)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """SQLite, no broker, a tiny student; the API and a worker run."""
    # They load what trains, and most tests of this folder need no service.
    from tests.acceptance.deployment import Deployment
    from tests.worker.corpus import add_models, make_rows

    folder = tmp_path_factory.mktemp("served")
    models = add_models(tmp_path_factory.mktemp("base"))
    deployment = Deployment(folder, models, database_url=None, redis_url=None)
    deployment.allow_teachers(NOBODY.removesuffix("/v1"))
    try:
        api = deployment.start_api()
        deployment.start_worker()
        job_id = deployment.submit(deployment.upload(make_rows(gold=GOLD)))
        deployment.wait_for_end(job_id)
        yield Served(deployment, api, Job.model_validate(deployment.tell(job_id)))
    finally:
        deployment.close()


@pytest.fixture
def spec() -> dict[str, Any]:
    """A job that takes seconds, without its dataset."""
    from tests.acceptance.deployment import JOB

    return {"name": "tickets", **JOB}
