"""The dashboard's page and its static files, for everyone: they hold nobody's texts."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import RedirectResponse, Response

from app.dashboard.files import StaticFiles
from app.etags import is_held
from core.errors import NotFound

# Scripts and styles come from here alone, none is inline, none is made of a string, and no page
# may frame this one: a text of a dataset that looks like HTML stays a text.
SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": SECURITY_POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Asked about each time, and seldom sent again: an upgraded service has no old page.
    "Cache-Control": "no-cache",
    "Vary": "Accept-Encoding",
}

router = APIRouter(include_in_schema=False)
_files = StaticFiles()


@router.api_route("/", methods=["GET", "HEAD"])
def read_dashboard(request: Request) -> Response:
    """The one page; what it shows depends on the part of its address after `#`."""
    return _answer(request, "index.html")


@router.get("/docs")
def read_docs() -> Response:
    """Where people look for the reference of an API."""
    return RedirectResponse("/#/api")


@router.api_route("/static/{name:path}", methods=["GET", "HEAD"])
def read_static(request: Request, name: Annotated[str, Path(max_length=200)]) -> Response:
    """A script, a style or an image of the dashboard."""
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    file = _files.read(name)
    if file is None:
        raise NotFound("file of the dashboard", name)
    accepted = request.headers.get("accept-encoding", "")
    is_compressed = file.compressed is not None and "gzip" in accepted.lower()
    # Strong tags tell the two forms apart.
    tag = f'{file.tag[:-1]}-gzip"' if is_compressed else file.tag
    headers = {**HEADERS, "ETag": tag}
    if is_held(request, tag):
        return Response(status_code=304, headers=headers)
    if is_compressed:
        headers["Content-Encoding"] = "gzip"
        return Response(file.compressed, media_type=file.media_type, headers=headers)
    return Response(file.plain, media_type=file.media_type, headers=headers)


__all__ = ["router"]
