"""What predicting is made of, for the life of a process."""

import os
from dataclasses import dataclass
from typing import Self

from app.predict.admission import Admission
from app.predict.batcher import Batcher
from app.predict.deferral.deferral import Deferral
from app.predict.kept_texts import TextKeeper, make_keeper
from app.predict.reading import Reader
from app.predict.registry import ModelRegistry
from app.predict.returned_memory import keep_heaps_few
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database


@dataclass(frozen=True)
class Serving:
    """Models, the threads that run them, the door before both, and what unsure texts go to."""

    registry: ModelRegistry
    batcher: Batcher
    admission: Admission
    reader: Reader
    deferral: Deferral
    keeper: TextKeeper

    @classmethod
    def start(
        cls,
        settings: Settings,
        database: Database,
        artifacts: ArtifactStore,
        *,
        deferral: Deferral,
    ) -> Self:
        """Start the threads; no model is loaded yet."""
        keep_heaps_few()
        batcher = Batcher(threads=settings.predict_threads or len(os.sched_getaffinity(0)))
        return cls(
            ModelRegistry(settings, database, artifacts),
            batcher,
            Admission(settings, batcher),
            Reader(batcher),
            deferral,
            make_keeper(database),
        )

    async def close(self) -> None:
        """Let the batches that run end, settle and write what waits; answer nothing more."""
        await self.deferral.close()
        self.batcher.close()
        self.keeper.close()
        self.registry.close()
