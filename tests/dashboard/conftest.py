"""A browser on a served dashboard; whatever the browser complains of fails the test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.deployment import Deployment
from tests.dashboard.browser import Complaints, open_page, running_chromium
from tests.dashboard.jobs import finish_job
from tests.worker.corpus import add_models

# A machine that is busy with other tests takes its time; what is wrong stays wrong as long.
expect.set_options(timeout=30_000)


# A package's, not a session's: while it lives its event loop runs in this thread, and tests
# elsewhere start loops of their own.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


def api_alone(tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """The API without a worker, on a folder of its own whose base models are tiny."""
    models_dir = add_models(tmp_path_factory.mktemp("base"))
    folder = tmp_path_factory.mktemp("dashboard")
    deployment = Deployment(folder, models_dir, database_url=None, redis_url=None)
    deployment.allow_teachers("http://127.0.0.1:9")
    deployment.start_api()
    return deployment


@pytest.fixture(scope="package")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """The API alone."""
    deployment = api_alone(tmp_path_factory)
    yield deployment
    deployment.close()


@pytest.fixture(scope="package")
def service(api: Deployment) -> Deployment:
    """The API and a worker, as `./run up` starts them."""
    api.start_worker()
    return api


@pytest.fixture(scope="package")
def finished_job(service: Deployment) -> str:
    return finish_job(service)


@pytest.fixture
def base_url(api: Deployment) -> str:
    return f"http://127.0.0.1:{api.port}"


@pytest.fixture
def complaints(base_url: str) -> Complaints:
    return Complaints(base_url)


@pytest.fixture
def page(browser: Browser, base_url: str, complaints: Complaints) -> Iterator[Page]:
    """A page 1280 pixels wide, in light colours; a complaint of the browser fails the test."""
    with open_page(browser, base_url, complaints=complaints) as page:
        yield page
    complaints.check()


@pytest.fixture
def narrow_page(browser: Browser, base_url: str, complaints: Complaints) -> Iterator[Page]:
    """A page 320 pixels wide, in dark colours."""
    with open_page(browser, base_url, complaints=complaints, theme="dark", width=320) as page:
        yield page
    complaints.check()


@pytest.fixture(scope="package")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts as a user has them, with two rows that cannot be read."""
    path = tmp_path_factory.mktemp("corpus") / "tickets.csv"
    rows = [f'"My parcel number {number} is late",delivery' for number in range(40)]
    rows += [f'"Please refund invoice {number}",billing' for number in range(40)]
    path.write_text("\n".join(["text,label", *rows, '"",billing', "   ,delivery"]) + "\n")
    return path
