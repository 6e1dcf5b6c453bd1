"""The way in for predictions, in front of FastAPI's router and its layers.

They cost a refusal more than all else that is done for it, and a small request as much as its
tokens. The routes stand in FastAPI's router all the same: that documents them, and answers what
is not meant for them, another method above all.
"""

from collections.abc import Awaitable, Callable, Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.predict.quick_route import QuickRoute

Handler = Callable[[Request], Awaitable[Response]]
AnswerError = Callable[[Request, Exception], Awaitable[Response]]


class QuickDoor:
    """Answers requests for these routes, and passes on all others.

    Args:
        routes: whose path names nothing but strings.
        answer_error: as FastAPI's handlers answer what a route raises.
    """

    def __init__(
        self, app: ASGIApp, *, routes: Sequence[QuickRoute], answer_error: AnswerError
    ) -> None:
        self._app = app
        self._answer_error = answer_error
        self._ways = [
            (route.path_regex, method, route.get_route_handler())
            for route in routes
            for method in route.methods or ()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handle = self._find(scope) if scope["type"] == "http" else None
        if handle is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive, send)
        try:
            response = await handle(request)
        except Exception as error:
            # Every kind has its answer there; a fault of ours is logged and told as one.
            response = await self._answer_error(request, error)
        await response(scope, receive, send)

    def _find(self, scope: Scope) -> Handler | None:
        """Whose request this is; what its path names goes into the scope."""
        for pattern, method, handle in self._ways:
            found = pattern.match(scope["path"]) if method == scope["method"] else None
            if found:
                scope["path_params"] = found.groupdict()
                return handle
        return None
