"""Loaded models: each loaded once, kept while they fit, never by torch."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Protocol

import structlog
from prometheus_client import Counter, Gauge

from app.predict.errors import ModelNotReady, ModelUnavailable
from app.predict.names import ModelNames, ModelRef
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.repositories.jobs import JobRepository
from core.db.repositories.kept_texts import KeptTextRepository
from core.db.repositories.models import LATEST, ModelRepository
from core.db.session import Database
from core.errors import Gone, NotFound
from core.ids import JobId, ModelId, TenantId, is_id
from llkd.predictor import Predictor

log = structlog.get_logger(__name__)

LOADS = Counter("llkd_model_loads", "Models loaded to predict", ["outcome"])
LOADED_BYTES = Gauge("llkd_model_bytes", "Bytes of the models loaded to predict")

# Two at a time: a large model must not keep a small one waiting, and not all of them
# may be in memory twice at once.
LOADERS = 2
# A model that could not be loaded is not tried again for this long: reading a damaged
# file of gigabytes for every request would take the disk from everyone else.
FAILED_SECONDS = 30.0
# Measured by the predictor: memory in use is about a quarter more than the files.
MEMORY_PER_BYTE = 1.25


class ModelRegistry:
    """Names to models, models to predictors. Safe to call from several threads.

    A predictor that was pushed out lives on until the batches that hold it are done, so
    memory is bounded by the cache, the loaders and one model a predicting thread.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        artifacts: ArtifactStore,
        *,
        load: Callable[[Mapping[str, Path]], Predictor] = Predictor.load,
    ) -> None:
        self.names = ModelNames(partial(_look_up, database))
        self._artifacts = artifacts
        self._load_files = load
        self._room = settings.predict_cache_bytes
        self._loaded: OrderedDict[ModelId, Predictor] = OrderedDict()
        self._loading: dict[ModelId, Future[Predictor]] = {}
        self._failed: dict[ModelId, float] = {}
        self._lock = Lock()
        self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="model-loader")

    def is_loaded(self, model: ModelRef) -> bool:
        with self._lock:
            return model.id in self._loaded

    def load(self, model: ModelRef) -> "Future[Predictor]":
        """The predictor of this model: at once when loaded, else when its one loader is done.

        Raises:
            ModelUnavailable: it could not be loaded moments ago; through the future: it
                cannot be loaded now.
        """
        with self._lock:
            predictor = self._loaded.get(model.id)
            if predictor is not None:
                self._loaded.move_to_end(model.id)
                done: Future[Predictor] = Future()
                done.set_result(predictor)
                return done
            self._refuse_failed(model.id)
            loading = self._loading.get(model.id)
            if loading is None:
                loading = self._loaders.submit(self._load, model)
                self._loading[model.id] = loading
            return loading

    def close(self) -> None:
        """Stop loading and let go of every model."""
        self._loaders.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            self._loaded.clear()
            LOADED_BYTES.set(0)

    def _refuse_failed(self, model_id: ModelId) -> None:
        now = time.monotonic()
        self._failed = {key: until for key, until in self._failed.items() if until > now}
        until = self._failed.get(model_id)
        if until is not None:
            raise ModelUnavailable(model_id, retry_after_s=max(1, round(until - now)))

    def _load(self, model: ModelRef) -> Predictor:
        try:
            predictor = self._load_files(self._artifacts.verified_tree(model.artifact))
        except Exception as error:
            # Whatever is wrong with the files, other models go on; the log has the story.
            log.error("model_load_failed", model=model.id, exc_info=error)
            LOADS.labels("failed").inc()
            with self._lock:
                del self._loading[model.id]
                self._failed[model.id] = time.monotonic() + FAILED_SECONDS
            raise ModelUnavailable(model.id, retry_after_s=round(FAILED_SECONDS)) from error
        LOADS.labels("loaded").inc()
        with self._lock:
            del self._loading[model.id]
            self._loaded[model.id] = predictor
            self._make_room()
        return predictor

    def _make_room(self) -> None:
        """Push out the models used longest ago; the newest stays, however large it is."""
        sizes = {key: _memory(predictor) for key, predictor in self._loaded.items()}
        in_use = sum(sizes.values())
        while in_use > self._room and len(self._loaded) > 1:
            model_id, _ = self._loaded.popitem(last=False)
            in_use -= sizes[model_id]
        LOADED_BYTES.set(in_use)


class _Sized(Protocol):
    @property
    def size_bytes(self) -> int: ...


def _memory(predictor: _Sized) -> int:
    return round(predictor.size_bytes * MEMORY_PER_BYTE)


def _look_up(database: Database, tenant: TenantId, name: str) -> ModelRef:
    """Ask the database what a name means.

    Raises:
        NotFound, Gone: there is no such model, or no more.
        ModelNotReady: the name is that of a job which has not ended yet.
    """
    with database.read() as session:
        if is_id(name, prefix="job"):
            job = JobRepository(session).get(tenant, JobId(name))
            if job is not None and not job.state.is_terminal:
                raise ModelNotReady(name)
            row = ModelRepository(session).by_job(JobId(name)) if job is not None else None
        else:
            row = ModelRepository(session).resolve(tenant, name)
        made_as = name.removesuffix(f"@{LATEST}")
        if row is None and JobRepository(session).is_making(tenant, made_as):
            raise ModelNotReady(name)
        if row is None:
            raise NotFound("model", name)
        if row.deleted_at is not None:
            raise Gone("model", name)
        keeping = KeptTextRepository(session).keeping(tenant, row.id)
        return ModelRef(row.id, row.artifact, None if keeping is None else keeping.below)
