"""Deployments of both kinds, and the figures that the promises came to."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from sqlalchemy.engine import make_url

from core.db.session import Database
from core.lifecycle import Stage
from tests.acceptance.deployment import JOB, Deployment
from tests.conftest import FIGURE
from tests.servers import running_redis
from tests.worker.corpus import add_dataset, add_distillation, add_models, make_rows
from tests.worker.workshop import Workshop
from worker.stages.label import label
from worker.stages.train import train


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Say what a promise came to; printed at the end of the run."""
    return lambda text: record_property(FIGURE, text)


@pytest.fixture(scope="session")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_models(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="session")
def undisturbed_weights(
    tmp_path_factory: pytest.TempPathFactory, models_dir: Path, sqlite_template: Path
) -> Iterator[str]:
    """The weights that the job of these tests ends with when nobody disturbs it.

    Its stages are called in this process: what the service makes of the same job in
    others, killed or not, has to be the same bit for bit.
    """
    folder = tmp_path_factory.mktemp("undisturbed")
    shutil.copyfile(sqlite_template, folder / "llkd.db")
    database = Database(make_url(f"sqlite:///{folder / 'llkd.db'}"))
    add_distillation(database, add_dataset(database, folder, make_rows()), spec=JOB)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    job = Workshop(database, folder, models_dir).claim()
    yield train(job, {Stage.LABEL: label(job, {})})["weights_sha256"]
    torch.set_num_threads(threads)
    database.dispose()


@pytest.fixture
def production(
    tmp_path: Path, models_dir: Path, postgres_url: str, redis_url: str
) -> Iterator[Deployment]:
    """PostgreSQL, Redis and Celery."""
    deployment = Deployment(tmp_path, models_dir, database_url=postgres_url, redis_url=redis_url)
    yield deployment
    deployment.close()


@pytest.fixture
def embedded(tmp_path: Path, models_dir: Path) -> Iterator[Deployment]:
    """SQLite and no broker."""
    deployment = Deployment(tmp_path, models_dir, database_url=None, redis_url=None)
    yield deployment
    deployment.close()


@pytest.fixture
def private_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis that a test may stop."""
    with running_redis(tmp_path_factory.mktemp("private-redis")) as url:
        yield url
