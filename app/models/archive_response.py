"""An archive on its way to a client: how it ends where a file turns out damaged."""

import structlog
from starlette.responses import StreamingResponse
from starlette.types import Send

from core.artifacts import ArtifactDamaged

log = structlog.get_logger(__name__)


class ArchiveResponse(StreamingResponse):
    """Ends without its last message at a damaged file, and leaves one line in the log.

    The status has been sent. A server closes the connection of an answer that was not completed,
    before the announced length, and that is all that can still be said.
    """

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except ArtifactDamaged as error:
            log.error("model_export_cut", reason=str(error))
