"""Which models' teachers are on the line: few, each as it is stored now, closed when not used."""

from collections import OrderedDict
from collections.abc import Callable

import anyio.to_thread

from app.predict.deferral.line import Line
from app.predict.deferral.sources import Source
from core.ids import ModelId

# Each keeps at most its teacher's `concurrency` of connections, and none for long when idle.
MOST_LINES = 32


class Lines:
    """Used on one event loop.

    Args:
        connect: makes a line; called on a thread, since it opens a key and lays out prompts.
    """

    def __init__(self, connect: Callable[[Source], Line], *, most: int = MOST_LINES) -> None:
        self._connect = connect
        self._most = most
        self._lines: OrderedDict[ModelId, Line] = OrderedDict()

    async def open(self, source: Source) -> Line:
        """The line to this teacher: the one there is, unless what it was made of has changed.

        Whoever uses it begins to before anything else happens on the loop: it may be put aside.

        Raises:
            As `Line` does.
        """
        found = self._find(source)
        if found is not None:
            return found
        made = await anyio.to_thread.run_sync(self._connect, source)
        # Another request may have been quicker; a line that was never used has nothing open.
        found = self._find(source)
        if found is not None:
            return found
        if source.model_id in self._lines:
            self._lines.pop(source.model_id).put_aside()
        self._lines[source.model_id] = made
        while len(self._lines) > self._most:
            self._lines.popitem(last=False)[1].put_aside()
        return made

    async def close(self) -> None:
        """Close all, also what is in use."""
        for line in self._lines.values():
            await line.close()
        self._lines.clear()

    def _find(self, source: Source) -> Line | None:
        line = self._lines.get(source.model_id)
        if line is None or line.source != source:
            return None
        self._lines.move_to_end(source.model_id)
        return line
