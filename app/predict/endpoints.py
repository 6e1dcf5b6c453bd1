"""POST /predict, /models/{name}/predict and /v1/classify."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from app.auth import TenantDep
from app.predict.classify_rendering import render_classification
from app.predict.classify_schemas import Classification, ClassifyRequest
from app.predict.hanging_up import HungUp, until_hung_up
from app.predict.quick_route import QuickRoute
from app.predict.schemas import PredictBody, Predictions, PredictRequest
from app.predict.service import classify, in_words, keep_unsure, predict, resolve
from app.predict.serving import Serving
from core.ids import TenantId

CLIENT_CLOSED_REQUEST = 499

router = APIRouter(route_class=QuickRoute, tags=["predict"])


async def get_serving(request: Request) -> Serving:
    serving: Serving = request.app.state.serving
    return serving


ServingDep = Annotated[Serving, Depends(get_serving)]
Name = Annotated[str, Path(description="Id, name, or `name@alias`.", examples=["tickets"])]


@router.post("/predict", response_model=Predictions)
async def predict_named(
    request: Request, body: PredictRequest, tenant: TenantDep, serving: ServingDep
) -> Response:
    """Classify texts with a model, named by its id, its name or an alias."""
    return await _predict(request, body, tenant=tenant, reference=body.model, serving=serving)


@router.post("/models/{name}/predict", response_model=Predictions)
async def predict_with(
    request: Request, name: Name, body: PredictBody, tenant: TenantDep, serving: ServingDep
) -> Response:
    """Classify texts with the model of this address."""
    return await _predict(request, body, tenant=tenant, reference=name, serving=serving)


@router.post("/v1/classify", response_model=Classification)
async def classify_named(
    request: Request, body: ClassifyRequest, tenant: TenantDep, serving: ServingDep
) -> Response:
    """Classify texts in the request and answer that vLLM's server has for classifiers."""
    try:
        async with until_hung_up(request):
            model = await resolve(serving, tenant=tenant, reference=body.model)
            answered = await classify(serving, model, body.input)
            await keep_unsure(serving, answered, body.input)
            request_id = request.scope["request_id"]
            told = partial(render_classification, answered, request_id=request_id)
            content = await in_words(answered, told)
    except HungUp:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return Response(content, media_type="application/json")


async def _predict(
    request: Request,
    body: PredictBody,
    *,
    tenant: TenantId,
    reference: str,
    serving: Serving,
) -> Response:
    """Predict, or stop predicting when the client hangs up."""
    try:
        async with until_hung_up(request):
            content = await predict(serving, tenant=tenant, reference=reference, body=body)
    except HungUp:
        # Nobody reads this; nginx logs the same status for the same event.
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return Response(content, media_type="application/json")
