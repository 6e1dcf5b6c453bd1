"""Whether this process lives, can serve, and what it counts."""

from importlib.metadata import version
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from sqlalchemy import text
from starlette.responses import PlainTextResponse, Response

from app.dependencies import ArtifactsDep, DatabaseDep
from app.problems import read_page
from core.errors import NotFound, Unavailable

VERSION = version("llkd-service")

router = APIRouter(tags=["service"])


class Health(BaseModel):
    status: Literal["ok"] = Field(examples=["ok"])


class Version(BaseModel):
    version: str = Field(examples=["0.1.0"])


@router.get("/healthz")
def healthz() -> Health:
    """The process answers; says nothing of what it needs."""
    return Health(status="ok")


@router.get("/readyz", responses={503: {"description": "Something it needs is missing."}})
def readyz(request: Request, database: DatabaseDep, artifacts: ArtifactsDep) -> Health:
    """The database answers, files can be written, and the models to preload are loaded."""
    with database.read() as session:
        session.execute(text("SELECT 1 FROM jobs LIMIT 1"))
    if not artifacts.is_writable():
        raise Unavailable("The artifact folder cannot be written.")
    if not request.app.state.preloading.is_done:
        raise Unavailable("Models are still being loaded.")
    return Health(status="ok")


@router.get("/version")
def read_version() -> Version:
    """Which release this is."""
    return Version(version=VERSION)


@router.get("/metrics", response_class=PlainTextResponse)
def metrics() -> Response:
    """Counters in Prometheus' text form."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


@router.get("/problems/{code}", response_class=PlainTextResponse)
def read_problem(
    code: Annotated[
        str, Path(max_length=80, description="The problem's code.", examples=["not-found"])
    ],
) -> str:
    """What a problem's `type` means."""
    page = read_page(code)
    if page is None:
        raise NotFound("kind of problem", code)
    return page
