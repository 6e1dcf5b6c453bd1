"""The application: its rooms, its one edge, its life."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import Scope

from app import error_handlers, problems
from app.auth import Keyring, require_tenant
from app.dashboard.endpoints import router as dashboard
from app.datasets.endpoints import router as datasets
from app.health import VERSION
from app.health import router as health
from app.jobs.endpoints import router as jobs
from app.jobs.event_stream import StreamPlaces
from app.jobs.prediction_endpoints import router as predictions
from app.jobs.report_card_endpoints import router as report_cards
from app.middleware import BodyTooLarge, FileTooLarge, RequestContext, RequestLimits
from app.models.alias_endpoints import router as aliases
from app.models.endpoints import router as models
from app.models.kept_text_endpoints import router as kept_texts
from app.negotiation import require_acceptable
from app.predict.deferral.deferral import Deferral
from app.predict.deferral.endpoints import router as deferrals
from app.predict.drift import router as drift
from app.predict.endpoints import router as predict
from app.predict.preloading import Preloading
from app.predict.quick_door import QuickDoor
from app.predict.quick_route import QuickRoute
from app.predict.serving import Serving
from app.teachers.endpoints import router as teachers
from app.teachers.probe import ProbePlaces
from core.artifacts import ArtifactStore
from core.config import LOOPBACK, Settings
from core.db.session import Database
from core.egress.allow_list import AllowList
from core.errors import ServiceError
from core.prices import read_prices
from core.queue import make_bell
from core.secret_key_file import open_vault

TITLE = "LLKD"
SUMMARY = "Unlabeled text and a large language model in; a small classifier you own, served, out."


def create_app(settings: Settings) -> FastAPI:
    """Build the API for these settings; nothing is opened before its lifespan starts."""
    app = FastAPI(
        title=TITLE,
        summary=SUMMARY,
        version=VERSION,
        lifespan=_lifespan,
        redirect_slashes=False,
        # FastAPI's own pages load their scripts from elsewhere; the dashboard has a reference.
        docs_url=None,
        redoc_url=None,
        responses=problems.RESPONSES,
    )
    app.state.settings = settings
    app.state.keyring = Keyring(settings)
    error_handlers.install(app)
    # Starlette runs the middleware added last first: the request's id is known to the limits, and
    # both stand before the quick door.
    app.add_middleware(
        QuickDoor,
        routes=[route for route in predict.routes if isinstance(route, QuickRoute)],
        answer_error=error_handlers.answer_error,
    )
    app.add_middleware(
        RequestLimits,
        body_limit=partial(_body_limit, settings),
        allowed_hosts=_allowed_hosts(settings),
    )
    app.add_middleware(RequestContext)
    # First: routes are tried in turn, and these are asked for most.
    app.include_router(predict, dependencies=[Depends(require_tenant), Depends(require_acceptable)])
    app.include_router(health)
    app.include_router(dashboard)
    protected = APIRouter(dependencies=[Depends(require_tenant), Depends(require_acceptable)])
    # Before the teachers: `report-cards` is no id of one.
    for router in (
        datasets,
        jobs,
        report_cards,
        predictions,
        models,
        aliases,
        kept_texts,
        deferrals,
        drift,
        teachers,
    ):
        protected.include_router(router)
    app.include_router(protected)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    app.state.database = Database(settings.database)
    app.state.artifacts = ArtifactStore(settings.data_dir / "artifacts")
    app.state.bell = make_bell(settings)
    app.state.event_streams = StreamPlaces()
    app.state.allow_list = AllowList.parse(settings.teacher_hosts)
    app.state.vault = open_vault(settings.secret_keys, data_dir=settings.data_dir)
    app.state.prices = read_prices(settings.prices_file)
    app.state.teacher_tests = ProbePlaces()
    deferral = Deferral(
        app.state.database,
        allow_list=app.state.allow_list,
        vault=app.state.vault,
        seconds=settings.deferral_seconds,
    )
    serving = Serving.start(settings, app.state.database, app.state.artifacts, deferral=deferral)
    app.state.serving = serving
    app.state.preloading = Preloading(serving.registry, settings.predict_preload)
    loading = asyncio.create_task(app.state.preloading.run())
    yield
    loading.cancel()
    await serving.close()
    app.state.database.dispose()


def _body_limit(settings: Settings, scope: Scope) -> tuple[int, type[ServiceError]]:
    if scope["path"] == "/datasets" and scope["method"] == "POST":
        return settings.max_upload_bytes, FileTooLarge
    if scope["path"].endswith(("/predict", "/v1/classify")):
        return settings.max_predict_bytes, BodyTooLarge
    return settings.max_json_bytes, BodyTooLarge


def _allowed_hosts(settings: Settings) -> frozenset[str]:
    """Names this service answers to; also on loopback, where a web page could rebind a name."""
    if settings.allowed_hosts:
        return frozenset(settings.allowed_hosts) | LOOPBACK
    return LOOPBACK if settings.is_loopback else frozenset({"*"})
