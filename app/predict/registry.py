"""Models by reference: each loaded once, warmed, kept while it fits, never by torch."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Lock

import structlog

from app.predict import metrics
from app.predict.errors import ModelTooLarge, ModelUnavailable, NoRoom
from app.predict.lanes import Lane
from app.predict.loading import load_predictor
from app.predict.memory import memory_of, room_for_models
from app.predict.metrics import Drift, ModelMeter
from app.predict.model_names import look_up
from app.predict.names import ModelNames, ModelRef
from app.predict.returned_memory import return_memory
from app.predict.shelf import Held, Shelf
from app.predict.validation import read_validation
from app.predict.warming import warm
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.ids import ModelId
from llkd.engine_choice import EngineChoice
from llkd.predictor import Predictor

log = structlog.get_logger(__name__)

# Two at a time: a large model must not keep a small one waiting, and not all of them
# may be in memory twice at once.
LOADERS = 2
# A model that could not be loaded is not tried again for this long: reading a damaged
# file of gigabytes for every request would take the disk from everyone else.
FAILED_SECONDS = 30.0
# How long a load waits for models in use to leave.
PATIENCE_SECONDS = 30.0

Files = Mapping[str, Path]


class ModelRegistry:
    """Names to models, models to predictors. Safe to call from several threads."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        artifacts: ArtifactStore,
        *,
        load: Callable[[Files, EngineChoice], Predictor] = load_predictor,
    ) -> None:
        self.names = ModelNames(partial(look_up, database, settings.predict_engine))
        self._artifacts = artifacts
        self._load_files = load
        self._shelf = Shelf(room_for_models(settings.predict_cache_bytes), unload=self._unloaded)
        # A model that leaves and one that comes back may be the same: they share a meter.
        self._meters: dict[ModelId, tuple[ModelMeter, int]] = {}
        self._failed: dict[ModelId, float] = {}
        self._lock = Lock()
        self._loaders = ThreadPoolExecutor(LOADERS, thread_name_prefix="model-loader")

    @property
    def used_bytes(self) -> int:
        """Memory reserved for models, in bytes."""
        return self._shelf.used

    def is_loaded(self, model: ModelRef) -> bool:
        held = self._shelf.find(model)
        return held is not None and held.loaded.done()

    def lane(self, model: ModelRef) -> Lane | None:
        """Where requests for this model wait; None if it is not in memory."""
        held = self._shelf.find(model)
        return None if held is None else held.lane

    def drift(self, model: ModelRef) -> tuple[Sequence[str], Drift | None] | None:
        """The model's labels, and how its answers drift if that is watched; None while it is
        not in memory."""
        with self._lock:
            held = self._shelf.find(model)
            if held is None or not held.loaded.done() or held.loaded.exception() is not None:
                return None
            meter, _ = self._meters[model.id]
            return held.predictor.labels, meter.drift()

    def take(self, model: ModelRef) -> Held:
        """The model for one user, who waits for `loaded` and gives it back in the end.

        Raises:
            ModelUnavailable: it could not be loaded moments ago. Through `loaded`: it cannot
                be loaded now.
        """
        held = self._shelf.take(model)
        if held is not None:
            return held
        with self._lock:
            # Another thread may have been first.
            held = self._shelf.take(model)
            if held is not None:
                return held
            self._refuse_failed(model.id)
            held = Held(model, Lane(self._meter(model)))
            self._shelf.put(held)
            self._loaders.submit(self._load, held)
            return held

    def give_back(self, held: Held) -> None:
        """Say that a user is done with it."""
        self._shelf.give_back(held)

    def close(self) -> None:
        """Stop loading and let go of every model."""
        self._shelf.close()
        self._loaders.shutdown(wait=True, cancel_futures=True)
        self._shelf.clear()

    def _refuse_failed(self, model_id: ModelId) -> None:
        now = time.monotonic()
        self._failed = {key: until for key, until in self._failed.items() if until > now}
        until = self._failed.get(model_id)
        if until is not None:
            raise ModelUnavailable(model_id, retry_after_s=max(1, round(until - now)))

    def _load(self, held: Held) -> None:
        model_id = held.model.id
        try:
            predictor, size = self._loaded(held)
        except (ModelTooLarge, NoRoom) as error:
            log.warning("model_does_not_fit", model=model_id, detail=error.detail)
            self._give_up(held, error, outcome="no_room")
        except Exception as error:
            # Whatever is wrong with the files, other models go on; the log has the story.
            log.error("model_load_failed", model=model_id, exc_info=error)
            with self._lock:
                self._failed[model_id] = time.monotonic() + FAILED_SECONDS
            unavailable = ModelUnavailable(model_id, retry_after_s=round(FAILED_SECONDS))
            self._give_up(held, unavailable, outcome="failed")
        else:
            metrics.LOADS.labels("loaded").inc()
            self._shelf.arrive(held, predictor, size=size)

    def _loaded(self, held: Held) -> tuple[Predictor, int]:
        """The model, and the bytes that it takes from now on."""
        files = self._artifacts.tree(held.model.artifact)
        needed = memory_of(files, held.model.engine.engine)
        if needed.loaded > self._shelf.room:
            raise ModelTooLarge(held.model.id, needed=needed.loaded, room=self._shelf.room)
        files = self._artifacts.verified_tree(held.model.artifact)
        # A model that only just fits is loaded while it is alone.
        loading = min(needed.loading, self._shelf.room)
        self._shelf.reserve(held, loading, patience_s=PATIENCE_SECONDS)
        predictor = self._load_files(files, held.model.engine)
        warm(predictor, held.lane.pace)
        held.lane.answer = predictor.answer
        validation = read_validation(files, predictor, model_id=held.model.id)
        held.certifier = validation.certifier
        if validation.reference is not None:
            self._meters[held.model.id][0].watch_drift(validation.reference)
        return_memory()
        return predictor, needed.loaded

    def _give_up(self, held: Held, error: Exception, *, outcome: str) -> None:
        metrics.LOADS.labels(outcome).inc()
        self._shelf.forget(held)
        held.loaded.set_exception(error)

    def _meter(self, model: ModelRef) -> ModelMeter:
        meter, users = self._meters.get(model.id) or (ModelMeter(model), 0)
        self._meters[model.id] = meter, users + 1
        return meter

    def _unloaded(self, held: Held) -> None:
        """A model has left memory: so do its series, unless it is back already."""
        held.lane.leave()
        with self._lock:
            meter, users = self._meters.pop(held.model.id)
            if users > 1:
                self._meters[held.model.id] = meter, users - 1
            else:
                meter.close()
        return_memory()
