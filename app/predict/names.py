"""Which immutable model a name means just now, mostly without asking the database."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.db.repositories.kept_texts import Keeping
from core.ids import ModelId, TenantId
from llkd.engine_choice import REFERENCE_CHOICE, EngineChoice

log = structlog.get_logger(__name__)

# How long a moved alias may still lead to the model it left.
FRESH_SECONDS = 1.0
# While one request asks the database anew, the others go on with what was known, this
# long at the most; also how often an unreachable database is tried for one name.
GRACE_SECONDS = 10.0
MOST_NAMES = 10_000
DATABASE_FAULTS = (OperationalError, InterfaceError, PoolTimeout)


@dataclass(frozen=True)
class ModelRef:
    """An immutable model, the digest of its file tree, and how it is served here.

    Attributes:
        keeping: which of the texts that it is unsure of are kept; None: none are.
        engine: what computes it on this machine.
    """

    id: ModelId
    artifact: str
    keeping: Keeping | None = None
    engine: EngineChoice = REFERENCE_CHOICE


@dataclass(frozen=True)
class Known:
    model: ModelRef
    expires: float  # on time.monotonic()


class ModelNames:
    """A short memory of names. Safe to call from several threads.

    Args:
        look_up: asks the database; raises what the caller shall see for an unknown name.
    """

    def __init__(self, look_up: Callable[[TenantId, str], ModelRef]) -> None:
        self._look_up = look_up
        self._known: OrderedDict[tuple[TenantId, str], Known] = OrderedDict()
        self._lock = Lock()

    def remembered(self, tenant: TenantId, name: str) -> ModelRef | None:
        """The model, from memory alone; None says that this caller has to `ask`."""
        key = (tenant, name)
        now = time.monotonic()
        with self._lock:
            known = self._known.get(key)
            if known is None:
                return None
            if now < known.expires:
                return known.model
            self._known[key] = replace(known, expires=now + GRACE_SECONDS)
            return None

    def ask(self, tenant: TenantId, name: str) -> ModelRef:
        """The model, from the database; from memory while the database cannot be reached."""
        key = (tenant, name)
        try:
            model = self._look_up(tenant, name)
        except DATABASE_FAULTS as error:
            with self._lock:
                known = self._known.get(key)
            if known is None:
                raise
            log.warning("model_name_from_memory", model=known.model.id, error=type(error).__name__)
            return known.model
        except Exception:
            with self._lock:
                self._known.pop(key, None)
            raise
        with self._lock:
            self._known[key] = Known(model, expires=time.monotonic() + FRESH_SECONDS)
            self._known.move_to_end(key)
            if len(self._known) > MOST_NAMES:
                self._known.popitem(last=False)
        return model
