"""Models that are in memory before this process says it is ready."""

import asyncio
from collections.abc import Sequence

import structlog

from app.auth import DEFAULT_TENANT
from app.predict.registry import ModelRegistry
from core.errors import ServiceError
from core.ids import TenantId

log = structlog.get_logger(__name__)


class Preloading:
    """Loads models by name, one after the other; one that cannot be loaded is logged.

    Attributes:
        is_done: whether all were tried.
    """

    def __init__(self, registry: ModelRegistry, names: Sequence[str]) -> None:
        self.is_done = not names
        self._registry = registry
        self._names = names

    async def run(self) -> None:
        for name in self._names:
            await asyncio.to_thread(self._load, name)
        self.is_done = True

    def _load(self, name: str) -> None:
        # `name@alias` holds no colon, so the first one ends a tenant.
        tenant, _, model = name.rpartition(":")
        try:
            reference = self._registry.names.ask(TenantId(tenant or DEFAULT_TENANT), model)
            held = self._registry.take(reference)
            try:
                held.loaded.result()
            finally:
                self._registry.give_back(held)
        except ServiceError as error:
            log.warning("model_not_preloaded", name=name, detail=error.detail)
        except Exception as error:
            # Whatever is wrong, requests will hear of it; starting does not depend on it.
            log.error("model_not_preloaded", name=name, exc_info=error)
        else:
            log.info("model_preloaded", name=name, model=reference.id)
