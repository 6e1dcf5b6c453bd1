"""Operations that take longer than one answer: pages, streams, waits, downloads."""

import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from llkd_client.answers import NOT_MODIFIED, Answer, read_shape
from llkd_client.errors import (
    ConnectionFailed,
    LlkdError,
    Refused,
    UnexpectedAnswer,
)
from llkd_client.operations import Close, Core, Items, Open, Operation, Read, Sleep, Tell, may_pass
from llkd_client.requests import Repeat, Request
from llkd_client.shapes.base import Page
from llkd_client.shapes.endings import WaitedTooLong
from llkd_client.shapes.jobs import Event, Job
from llkd_client.shapes.models import PredictionJob
from llkd_client.sse import MessageParser

S = TypeVar("S", bound=BaseModel)
J = TypeVar("J", Job, PredictionJob)
LARGEST_PAGE = 100
POLL_SECONDS = 2.0
NOTHING_MORE = 204
EVENT_STREAM = "text/event-stream"
# Three of the service's heartbeats: a connection that is silent for longer is dead.
STREAM_SILENCE_SECONDS = 45.0


def pages(
    core: Core,
    shape: type[S],
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> Items[S]:
    """All entries of a list, a page at a time and only as far as somebody reads.

    Args:
        limit: of entries; None for all.
    """

    def operation() -> Operation[None]:
        left, after = limit, None
        while left is None or left > 0:
            size = LARGEST_PAGE if left is None else min(left, LARGEST_PAGE)
            place: dict[str, str | int | bool] = {"limit": size, **(query or {})}
            if after is not None:
                place["after"] = after
            page = yield from core.fetch(Page[shape], Request("GET", path, query=place))  # type: ignore[valid-type]
            for entry in page.data:
                yield Tell(entry)
            if not page.has_more or page.last_id is None:
                return
            after = page.last_id
            left = None if left is None else left - len(page.data)

    return Items(operation())


def events(core: Core, path: str, *, after: str | None) -> Items[Event]:
    """Each event of a job as it happens, to its last one.

    A connection that breaks, or is ended before the job is, is made again from the last event
    on. Waits between attempts grow until something is heard.
    """
    return Items(_events(core, path, after or ""))


def _events(core: Core, path: str, place: str) -> Operation[None]:
    failures = 0
    parser = MessageParser(place)
    while True:
        failure: LlkdError = ConnectionFailed("The stream ended before the job did.", sent=True)
        try:
            head: Answer = yield Open(_stream_request(path, parser.last_id))
            refusal = head.refusal()
            if refusal is not None:
                raise refusal
            if head.status == NOTHING_MORE:
                return
            parser, heard = MessageParser(parser.last_id), 0
            while piece := (yield Read()):
                for message in parser.feed(piece):
                    failures = 0
                    event = read_event(message.data)
                    yield Tell(event)
                    if event.is_last:
                        return
                if parser.comments > heard:
                    failures, heard = 0, parser.comments
        except (ConnectionFailed, Refused) as error:
            failure = error
        yield Close()
        failures += 1
        wait = core.retry.wait_before_next(failure, attempt=failures, repeat=Repeat.ALWAYS)
        if wait is None:
            raise failure
        yield from core.pause(wait, failure)


def _stream_request(path: str, place: str) -> Request:
    headers = {"Accept": EVENT_STREAM, **({"Last-Event-ID": place} if place else {})}
    return Request("GET", path, headers=headers, silence_seconds=STREAM_SILENCE_SECONDS)


def read_event(told: str) -> Event:
    try:
        return read_shape(Event, json.loads(told))
    except ValueError as error:
        raise UnexpectedAnswer("An event came with data that is no JSON.") from error


def wait(
    core: Core,
    shape: type[J],
    path: str,
    *,
    timeout: float | None,
    poll_seconds: float | None,
    on_progress: Callable[[J], None] | None,
) -> Operation[J]:
    """Ask for a job until it has ended, as often as the service says.

    Raises:
        WaitedTooLong: the timeout came first.
        ConnectionFailed, Refused: no more attempts are left; or the timeout came before the job
            was seen for the first time.
    """
    longest = math.inf if timeout is None else timeout
    end = time.monotonic() + longest
    job: J | None = None
    tag, told = None, None
    while True:
        headers: dict[str, str] = {} if tag is None else {"If-None-Match": tag}
        try:
            answer = yield from core.ask(Request("GET", path, headers=headers), until=end)
        except (ConnectionFailed, Refused) as error:
            if job is None or time.monotonic() < end or not may_pass(error):
                raise
            raise WaitedTooLong(job, longest) from error
        if job is None or answer.status != NOT_MODIFIED:
            job, tag = answer.read(shape), answer.tag
        if on_progress is not None:
            on_progress(job)
        if job.ended:
            return job
        told = answer.retry_after or told
        pause = poll_seconds or told or POLL_SECONDS
        left = end - time.monotonic()
        if left <= 0:
            raise WaitedTooLong(job, longest)
        yield Sleep(min(pause, left))


def download(core: Core, request: Request, target: Path) -> Operation[Path]:
    """Write what is answered to a file, which is there only when it is whole.

    Args:
        target: the file; or a folder, where it gets the name that the service gives it.

    Raises:
        OSError: it cannot be written.
    """
    request = replace(request, headers={"Accept": "*/*", **request.headers})
    failures = 0
    while True:
        try:
            head: Answer = yield Open(request)
            refusal = head.refusal()
            if refusal is not None:
                raise refusal
            path = target / _file_name(head) if target.is_dir() else target
            return (yield from _write(path))
        except (ConnectionFailed, Refused) as error:
            failure = error
        yield Close()
        failures += 1
        pause = core.retry.wait_before_next(failure, attempt=failures, repeat=request.repeat)
        if pause is None:
            raise failure
        yield from core.pause(pause, failure)


def _write(path: Path) -> Operation[Path]:
    part = tempfile.NamedTemporaryFile(  # noqa: SIM115 - closed below, before it is moved
        dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
    )
    unfinished = Path(part.name)
    try:
        with part:
            while piece := (yield Read()):
                part.write(piece)
        # A temporary file is its owner's alone; what is downloaded is as any other file.
        unfinished.chmod(0o666 & ~_umask())
        unfinished.replace(path)
    except BaseException:
        # Behind the block: Windows deletes no file that is open.
        with suppress(OSError):
            unfinished.unlink()
        raise
    return path


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _file_name(head: Answer) -> str:
    _, _, told = head.headers.get("content-disposition", "").partition("filename=")
    # A name is taken, never a path.
    name = Path(told.strip('" ').replace("\\", "/")).name
    return name or "download"
