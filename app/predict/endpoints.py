"""POST /predict and /models/{name}/predict."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from app.auth import TenantDep
from app.predict import service
from app.predict.engine import PredictEngine
from app.predict.kept_texts import TextKeeper
from app.predict.registry import ModelRegistry
from app.predict.schemas import PredictBody, Predictions, PredictRequest
from app.strict_json import StrictRoute
from core.ids import TenantId

CLIENT_CLOSED_REQUEST = 499

router = APIRouter(route_class=StrictRoute, tags=["predict"])


async def get_registry(request: Request) -> ModelRegistry:
    registry: ModelRegistry = request.app.state.registry
    return registry


async def get_engine(request: Request) -> PredictEngine:
    engine: PredictEngine = request.app.state.predict_engine
    return engine


RegistryDep = Annotated[ModelRegistry, Depends(get_registry)]
EngineDep = Annotated[PredictEngine, Depends(get_engine)]


@router.post("/predict", response_model=Predictions)
async def predict(
    request: Request,
    body: PredictRequest,
    tenant: TenantDep,
    registry: RegistryDep,
    engine: EngineDep,
) -> Response:
    """Classify texts with a model, named by its id, its name or an alias."""
    return await _answer(
        request, body, tenant=tenant, reference=body.model, registry=registry, engine=engine
    )


@router.post("/models/{name}/predict", response_model=Predictions)
async def predict_with(
    request: Request,
    name: Annotated[str, Path(description="Id, name, or `name@alias`.", examples=["tickets"])],
    body: PredictBody,
    tenant: TenantDep,
    registry: RegistryDep,
    engine: EngineDep,
) -> Response:
    """Classify texts with the model of this address."""
    return await _answer(
        request, body, tenant=tenant, reference=name, registry=registry, engine=engine
    )


async def _answer(
    request: Request,
    body: PredictBody,
    *,
    tenant: TenantId,
    reference: str,
    registry: ModelRegistry,
    engine: PredictEngine,
) -> Response:
    """Predict, or stop predicting when the client hangs up."""
    keeper: TextKeeper = request.app.state.text_keeper
    answer = asyncio.ensure_future(
        service.predict(
            registry, engine, keeper=keeper, tenant=tenant, reference=reference, body=body
        )
    )
    hung_up = asyncio.ensure_future(_until_hung_up(request))
    try:
        await asyncio.wait((answer, hung_up), return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return Response(answer.result(), media_type="application/json")
    finally:
        answer.cancel()
        hung_up.cancel()
        # Awaited, so that the request's place is free again when this one is over.
        await asyncio.gather(answer, hung_up, return_exceptions=True)
    # Nobody reads this; nginx logs the same status for the same event.
    return Response(status_code=CLIENT_CLOSED_REQUEST)


async def _until_hung_up(request: Request) -> None:
    """Wait for the client to leave; the body has been read, so nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
