"""What endpoints ask for: settings, a session, the stores, the bell."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session

from app.auth import TenantDep
from core.artifacts import ArtifactStore
from core.config import Settings
from core.db.session import Database
from core.egress.allow_list import AllowList
from core.prices import PriceTable
from core.queue import Bell
from core.secrets import Vault


# These are async although they wait for nothing: a plain `def` costs a trip to a thread.
async def get_settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


async def get_database(request: Request) -> Database:
    database: Database = request.app.state.database
    return database


async def get_artifacts(request: Request) -> ArtifactStore:
    artifacts: ArtifactStore = request.app.state.artifacts
    return artifacts


async def get_bell(request: Request) -> Bell:
    bell: Bell = request.app.state.bell
    return bell


async def get_allow_list(request: Request) -> AllowList:
    allow_list: AllowList = request.app.state.allow_list
    return allow_list


async def get_vault(request: Request) -> Vault:
    vault: Vault = request.app.state.vault
    return vault


async def get_prices(request: Request) -> PriceTable:
    prices: PriceTable = request.app.state.prices
    return prices


def get_read_session(database: Annotated[Database, Depends(get_database)]) -> Iterator[Session]:
    with database.read() as session:
        yield session


def get_write_session(database: Annotated[Database, Depends(get_database)]) -> Iterator[Session]:
    with database.write() as session:
        yield session


SettingsDep = Annotated[Settings, Depends(get_settings)]
DatabaseDep = Annotated[Database, Depends(get_database)]
ArtifactsDep = Annotated[ArtifactStore, Depends(get_artifacts)]
BellDep = Annotated[Bell, Depends(get_bell)]
AllowListDep = Annotated[AllowList, Depends(get_allow_list)]
VaultDep = Annotated[Vault, Depends(get_vault)]
PricesDep = Annotated[PriceTable, Depends(get_prices)]
# scope="function": the transaction ends before the answer leaves. With the default, a
# client could be told 201 for a row whose commit then failed.
ReadSession = Annotated[Session, Depends(get_read_session, scope="function")]
WriteSession = Annotated[Session, Depends(get_write_session, scope="function")]

__all__ = [
    "AllowListDep",
    "ArtifactsDep",
    "BellDep",
    "DatabaseDep",
    "PricesDep",
    "ReadSession",
    "SettingsDep",
    "TenantDep",
    "VaultDep",
    "WriteSession",
]
