"""Which files the dashboard is made of, and each one's bytes as they travel."""

import gzip
import mimetypes
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from threading import Lock

from app.etags import tag_of

STATIC = Path(__file__).parent / "static"
# Type by ending: the system's own table may lack one, and a module of another type is not run.
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
# Below this a compressed answer saves no packet.
MIN_COMPRESSED_BYTES = 1024


@dataclass(frozen=True)
class StaticFile:
    """A file as it is sent: its bytes, the same compressed if that is smaller, and their tags."""

    media_type: str
    plain: bytes
    compressed: bytes | None
    # Made once: Plotly's alone is a hash over megabytes, and every visit asks for it.
    tag: str
    stamp: tuple[int, int]


class StaticFiles:
    """The files by the names they are asked for by; nothing else can be named.

    A file is read when it is first asked for, and again when it has changed on disk.
    """

    def __init__(self) -> None:
        self._paths = {
            path.relative_to(STATIC).as_posix(): path
            for path in STATIC.rglob("*")
            if path.suffix in TYPES
        }
        self._paths["plotly.min.js"] = _find_plotly()
        self._held: dict[str, StaticFile] = {}
        self._lock = Lock()

    def read(self, name: str) -> StaticFile | None:
        path = self._paths.get(name)
        if path is None:
            return None
        status = path.stat()
        stamp = (status.st_mtime_ns, status.st_size)
        # Plotly takes most of a second to compress: once is enough, however many ask.
        with self._lock:
            held = self._held.get(name)
            if held is None or held.stamp != stamp:
                held = self._held[name] = _load(path, stamp)
        return held


def _load(path: Path, stamp: tuple[int, int]) -> StaticFile:
    plain = path.read_bytes()
    compressed = gzip.compress(plain, 6, mtime=0) if len(plain) >= MIN_COMPRESSED_BYTES else None
    media_type = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0]
    return StaticFile(
        media_type or "application/octet-stream", plain, compressed, tag_of(plain), stamp
    )


def _find_plotly() -> Path:
    """Plotly's own JavaScript, as its Python package carries it; the package is not imported."""
    spec = find_spec("plotly")
    assert spec is not None, "plotly is a dependency of this package"
    assert spec.origin is not None
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


__all__ = ["StaticFile", "StaticFiles"]
