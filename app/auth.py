"""Who asks: a bearer key names a tenant; without keys, loopback is the tenant `default`."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from core.config import Settings
from core.errors import ServiceError
from core.ids import TenantId

DEFAULT_TENANT = TenantId("default")

bearer = HTTPBearer(auto_error=False, description="An API key; none is needed on loopback.")


class Unauthorized(ServiceError):
    """The request needs `Authorization: Bearer KEY`, with a key this service knows."""

    status = 401
    code = "unauthorized"
    title = "Unauthorized"

    def __init__(self) -> None:
        super().__init__(
            "A valid API key is required.", headers={"WWW-Authenticate": 'Bearer realm="llkd"'}
        )


class Keyring:
    """The configured keys, kept as digests and compared in constant time."""

    def __init__(self, settings: Settings) -> None:
        pairs = [pair.get_secret_value().partition(":") for pair in settings.api_keys]
        self._tenants: Mapping[str, TenantId] = {
            _digest(key): TenantId(tenant) for tenant, _, key in pairs
        }

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def tenant_of(self, key: str) -> TenantId | None:
        """The key's tenant; takes the same time for every wrong key."""
        asked = _digest(key)
        found: TenantId | None = None
        for digest, tenant in self._tenants.items():
            if hmac.compare_digest(digest, asked):
                found = tenant
        return found


# Async although it waits for nothing: a plain `def` costs a trip to a thread each request.
async def require_tenant(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(bearer)],
) -> TenantId:
    """The tenant whose key came with the request.

    Raises:
        Unauthorized: keys are configured and none of them came.
    """
    keyring: Keyring = request.app.state.keyring
    if not keyring:
        return DEFAULT_TENANT
    tenant = keyring.tenant_of(credentials.credentials) if credentials else None
    if tenant is None:
        raise Unauthorized
    return tenant


async def tenant_of(request: Request) -> TenantId:
    """`require_tenant`, for what comes before dependencies do: the reading of a body.

    Raises:
        Unauthorized: as `require_tenant`.
    """
    return await require_tenant(request, await bearer(request))


TenantDep = Annotated[TenantId, Depends(require_tenant)]


def _digest(key: str) -> str:
    # Keys are long and random, so a plain hash is enough; it also hides their length.
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
