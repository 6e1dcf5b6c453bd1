"""What is at hand wherever a job is asked for."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends

from app.dependencies import (
    AllowListDep,
    ArtifactsDep,
    BellDep,
    DatabaseDep,
    PricesDep,
    SettingsDep,
)
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.egress.allow_list import AllowList
from core.prices import PriceTable
from core.queue import Bell
from llkd.base_models import ModelSource


@dataclass(frozen=True, slots=True)
class Desk:
    """Where rows and files are, what may be asked for, and how workers are told of it."""

    database: Database
    artifacts: ArtifactStore
    settings: Settings
    bell: Bell
    allow_list: AllowList
    prices: PriceTable

    @property
    def models(self) -> ModelSource:
        return ModelSource(
            models_dir=self.settings.models_dir, allowed=self.settings.allowed_models
        )


# Async although it waits for nothing: a plain `def` costs a trip to a thread.
async def get_desk(
    database: DatabaseDep,
    artifacts: ArtifactsDep,
    settings: SettingsDep,
    bell: BellDep,
    allow_list: AllowListDep,
    prices: PricesDep,
) -> Desk:
    return Desk(database, artifacts, settings, bell, allow_list, prices)


DeskDep = Annotated[Desk, Depends(get_desk)]

__all__ = ["Desk", "DeskDep"]
