"""Server-sent events out of bytes, however these were cut."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Message:
    """One event of a stream; `id` is the last one that was told, by it or before it."""

    event: str
    data: str
    id: str


class MessageParser:
    """Takes bytes, gives messages.

    Attributes:
        last_id: where to go on from: of the last event that is complete. A connection may break
            between an event's id and its end, and then the event is still to come.
        comments: how many came; a server that has nothing to tell shows by them that it lives.

    Source: WHATWG HTML, section 9.2.6, "Interpreting an event stream".
    """

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.comments = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._text = ""
        self._begun = False
        self._after_return = False
        self._event = ""
        self._id = last_id
        self._data: list[str] = []

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The messages that these bytes complete."""
        self._text += self._decoder.decode(piece)
        if not self._begun and self._text:
            self._begun = True
            self._text = self._text.removeprefix("\ufeff")
        while (line := self._next_line()) is not None:
            message = self._take(line)
            if message is not None:
                yield message

    def _next_line(self) -> str | None:
        if self._after_return and self._text:
            # The other half of a line end that was cut.
            self._text = self._text.removeprefix("\n")
            self._after_return = False
        end = min((at for at in map(self._text.find, "\r\n") if at >= 0), default=-1)
        if end < 0:
            return None
        line = self._text[:end]
        self._after_return = self._text[end] == "\r"
        self._text = self._text[end + 1 :]
        return line

    def _take(self, line: str) -> Message | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments += 1
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self._id = value
        return None

    def _dispatch(self) -> Message | None:
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        self.last_id = self._id
        return Message(event, "\n".join(data), self.last_id) if data else None
