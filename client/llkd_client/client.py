"""The two clients: the same calls, blocking and asynchronous."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from llkd_client import distilling
from llkd_client.address import Address, find_address
from llkd_client.calls import predictions, service
from llkd_client.distilled import AsyncDistilledModel, DistilledModel
from llkd_client.distilling import Gold, Texts
from llkd_client.driving import AsyncDriver, SyncDriver
from llkd_client.operations import Core, RetryPolicy
from llkd_client.progress import Progress, find_progress
from llkd_client.resources import (
    AsyncDatasets,
    AsyncJobs,
    AsyncModels,
    AsyncPredictionJobs,
    AsyncTeachers,
    Datasets,
    Jobs,
    Models,
    PredictionJobs,
    Teachers,
)
from llkd_client.specs import Labels
from llkd_client.surfaces import (
    AsyncResource,
    Resource,
    awaited,
    blocking,
    iterated,
    iterated_async,
)
from llkd_client.wire import timeout_of

SILENCE_SECONDS = 60.0


class Client(Resource):
    """A connection to one service; closes with its `with` block.

    Attributes:
        datasets, teachers, jobs, models, predictions: the calls on each.
    """

    predict = blocking(predictions.predict)
    predict_each = iterated(predictions.predict_each)
    classify = blocking(predictions.classify)
    version = blocking(service.version)
    healthz = blocking(service.healthz)
    readyz = blocking(service.readyz)

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        retry: RetryPolicy | None = None,
        timeout: float = SILENCE_SECONDS,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """A client of the service at this URL.

        Args:
            url: LLKD_URL by default, else the service on this machine.
            api_key: LLKD_API_KEY by default.
            retry: how often, and when, a failed request is sent again.
            timeout: seconds of silence after which a request counts as lost. Uploads, which may be
                silent for ten minutes, and event streams keep their own.
            transport: instead of the network, for tests.

        Raises:
            BadAddress: the URL or the key cannot be used.
        """
        self._address = find_address(url, api_key)
        http = httpx.Client(transport=transport, **_options(self._address, timeout))
        super().__init__(SyncDriver(self._address, http), Core(retry or RetryPolicy()))
        self.datasets = Datasets(self._driver, self._core)
        self.teachers = Teachers(self._driver, self._core)
        self.jobs = Jobs(self._driver, self._core)
        self.models = Models(self._driver, self._core)
        self.predictions = PredictionJobs(self._driver, self._core)

    @property
    def url(self) -> str:
        return self._address.url

    def distill(
        self,
        texts: Texts,
        labels: Labels,
        *,
        teacher: str | Mapping[str, Any] = "few_shot",
        gold: Gold | None = None,
        columns: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        **request: Any,
    ) -> DistilledModel:
        """From texts to a model that answers: upload, run the job, show how far it is.

        Interrupted, the job goes on; `attach` comes back to it.

        Args:
            texts: a list of them, a file, or a dataset or its id.
            labels: names, or descriptions by name, or objects with `name`, `description` and
                `examples`.
            teacher: its kind, the id of a stored one, or the whole of it.
            gold: texts with the label that a person gave each, to measure the student on: pairs,
                or as `texts`; in a file, the column `label` holds it.
            columns: of a file: `{"text_column": "body", …}`, as the fields of an upload.
            progress: who shows it; by default a terminal or a notebook does, if there is one.
            request: all else that `POST /jobs` takes: `name`, `selection`, `budget` …

        Raises:
            JobFailed: it failed or was cancelled; `problem` says why.
        """
        operation = distilling.distill(
            self._core,
            texts,
            labels,
            teacher=teacher,
            gold=gold,
            columns=columns,
            progress=progress or find_progress(),
            request=request,
        )
        return DistilledModel(self._driver, self._core, self._driver.run(operation))

    def attach(self, job_id: str, *, progress: Progress | None = None) -> DistilledModel:
        """See a job through that runs already, and return its model; raises as `distill`."""
        shown = progress or find_progress()
        operation = distilling.see_through(self._core, job_id, progress=shown)
        return DistilledModel(self._driver, self._core, self._driver.run(operation))

    def close(self) -> None:
        self._driver.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.url!r})"


class AsyncClient(AsyncResource):
    """As Client, on asyncio's event loop; closes with its `async with` block."""

    predict = awaited(predictions.predict)
    predict_each = iterated_async(predictions.predict_each)
    classify = awaited(predictions.classify)
    version = awaited(service.version)
    healthz = awaited(service.healthz)
    readyz = awaited(service.readyz)

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        retry: RetryPolicy | None = None,
        timeout: float = SILENCE_SECONDS,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As Client."""
        self._address = find_address(url, api_key)
        http = httpx.AsyncClient(transport=transport, **_options(self._address, timeout))
        super().__init__(AsyncDriver(self._address, http), Core(retry or RetryPolicy()))
        self.datasets = AsyncDatasets(self._driver, self._core)
        self.teachers = AsyncTeachers(self._driver, self._core)
        self.jobs = AsyncJobs(self._driver, self._core)
        self.models = AsyncModels(self._driver, self._core)
        self.predictions = AsyncPredictionJobs(self._driver, self._core)

    @property
    def url(self) -> str:
        return self._address.url

    async def distill(
        self,
        texts: Texts,
        labels: Labels,
        *,
        teacher: str | Mapping[str, Any] = "few_shot",
        gold: Gold | None = None,
        columns: Mapping[str, str] | None = None,
        progress: Progress | None = None,
        **request: Any,
    ) -> AsyncDistilledModel:
        """As Client.distill."""
        operation = distilling.distill(
            self._core,
            texts,
            labels,
            teacher=teacher,
            gold=gold,
            columns=columns,
            progress=progress or find_progress(),
            request=request,
        )
        return AsyncDistilledModel(self._driver, self._core, await self._driver.run(operation))

    async def attach(self, job_id: str, *, progress: Progress | None = None) -> AsyncDistilledModel:
        """As Client.attach."""
        shown = progress or find_progress()
        operation = distilling.see_through(self._core, job_id, progress=shown)
        return AsyncDistilledModel(self._driver, self._core, await self._driver.run(operation))

    async def close(self) -> None:
        await self._driver.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self.url!r})"


def _options(address: Address, timeout: float) -> dict[str, Any]:
    return {
        "headers": address.headers,
        "timeout": timeout_of(timeout),
        "trust_env": not address.is_here,
    }
