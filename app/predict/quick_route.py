"""A route that asks for nothing but a key and a body, and answers without FastAPI's machinery.

Solving dependencies costs more than all else that a small request needs of this process. The
endpoint's signature still documents it; what it asks for is found here by hand.
"""

from collections.abc import Callable, Coroutine
from typing import Any, get_type_hints

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from app.auth import tenant_of
from app.negotiation import require_acceptable
from app.strict_json import StrictRequest, refuse_encodings, refuse_other_than_json


class QuickRoute(APIRoute):
    """For endpoints that take `request`, `body`, `tenant`, `serving` and what is in the path."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint = self.endpoint
        body_model: type[BaseModel] = get_type_hints(endpoint)["body"]

        async def quickly(request: Request) -> Response:
            # A stranger's body is not worth reading.
            tenant = await tenant_of(request)
            await require_acceptable(request)
            refuse_encodings(request)
            refuse_other_than_json(request)
            strict = StrictRequest(request.scope, request.receive)
            response: Response = await endpoint(
                request=strict,
                body=_validated(body_model, await strict.json()),
                tenant=tenant,
                serving=request.app.state.serving,
                **request.path_params,
            )
            return response

        return quickly


def _validated(model: type[BaseModel], value: Any) -> BaseModel:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # As FastAPI tells it, so that one handler serves both.
        faults = [
            fault | {"loc": ("body", *fault["loc"])} for fault in error.errors(include_url=False)
        ]
        raise RequestValidationError(faults, body=value) from error
