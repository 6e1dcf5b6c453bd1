"""One job, one process: reads its assignment, runs the pipeline, says how it ended.

Standard output carries the protocol alone; whatever libraries print goes to standard error.
"""

import ctypes
import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import structlog
from sqlalchemy.engine import make_url

from core.calling.breaker import Park
from core.db.repositories.engine import GhostWorker
from core.logging import configure_logging
from llkd.errors import LlkdError
from worker.problems import method_failed, teacher_silent
from worker.protocol import (
    EXIT_CRASHED,
    EXIT_DONE,
    EXIT_FAILED,
    EXIT_GHOST,
    EXIT_RELEASED,
    Advanced,
    Assignment,
    Crashed,
    Failed,
    Message,
    Parked,
    Succeeded,
    encode,
)
from worker.stop_request import Released, StopRequest

log = structlog.get_logger(__name__)

PR_SET_PDEATHSIG = 1
NOWHERE = "start"
Tell = Callable[[Message], None]


def main() -> int:
    """Do the job of the assignment on standard input; returns the exit code."""
    faulthandler.enable()
    mouth = Mouth(take_stdout())
    stop = StopRequest()
    stop.listen()
    assignment = Assignment.from_json(sys.stdin.read())
    die_with(assignment.supervisor_pid)
    password = make_url(assignment.database_url).password
    keys = assignment.teacher_keys.values()
    configure_logging(secrets=[*([password] if password else []), *keys])
    with structlog.contextvars.bound_contextvars(
        job_id=assignment.job_id, attempt=assignment.attempt
    ):
        return _do(assignment, stop, mouth)


def _do(assignment: Assignment, stop: StopRequest, mouth: "Mouth") -> int:
    # Here and not above: torch takes seconds to import, in which a supervisor can die
    # and a job be cancelled.
    from worker.pipeline import run

    try:
        result = run(assignment, stop=stop, tell=mouth.say)
    except GhostWorker:
        return EXIT_GHOST
    except Released:
        return EXIT_RELEASED
    except Park as park:
        log.warning("job_parked", code=park.code, after_s=park.after_s)
        silent = teacher_silent(park.code, park.detail, stage=mouth.stage)
        mouth.say(Parked(silent, park.after_s))
        return EXIT_RELEASED
    except LlkdError as error:
        log.warning("job_failed", stage=mouth.stage, code=error.code)
        mouth.say(Failed(method_failed(error, stage=mouth.stage)))
        return EXIT_FAILED
    except Exception as error:
        # The message of an unforeseen error may quote a text or a secret: it goes to
        # this job's log on this host, and only its place goes into the job's row.
        log.exception("job_crashed", stage=mouth.stage)
        mouth.say(Crashed(place_of(error)))
        return EXIT_CRASHED
    mouth.say(Succeeded(result))
    return EXIT_DONE


class Mouth:
    """Says messages to the supervisor, and remembers the stage they came from."""

    def __init__(self, descriptor: int) -> None:
        self.stage = NOWHERE
        self._descriptor = descriptor

    def say(self, message: Message) -> None:
        if isinstance(message, Advanced):
            self.stage = message.detail.get("stage", self.stage)
        line = memoryview(encode(message))
        while line:
            line = line[os.write(self._descriptor, line) :]


def take_stdout() -> int:
    """Keep the protocol's pipe for ourselves; a stray print must not become a message.

    The copy is closed in processes that we start, so none of them keeps the pipe open.
    """
    protocol = os.dup(1)
    os.dup2(2, 1)
    return protocol


def die_with(parent: int) -> None:
    """Have the kernel kill this process when its supervisor dies, however it dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may have died before we asked: then we are someone else's child already.
    if os.getppid() != parent:
        os._exit(EXIT_RELEASED)


def place_of(error: BaseException) -> str:
    """Type and innermost frame of an error, without its message."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    if frame is None:
        return type(error).__name__
    code = frame.tb_frame.f_code
    file = "/".join(Path(code.co_filename).parts[-2:])
    return f"{type(error).__name__} in {file}:{frame.tb_lineno} {code.co_name}"


if __name__ == "__main__":
    sys.exit(main())
