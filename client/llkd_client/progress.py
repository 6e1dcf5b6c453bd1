"""How far an upload and a job are, for whoever watches: a terminal, a notebook, or a log."""

import html
import shutil
import sys
from collections.abc import Callable
from types import ModuleType
from typing import IO, Any, Protocol

from llkd_client.errors import LlkdError
from llkd_client.operations import OnWait
from llkd_client.shapes.jobs import Job

BAR_WIDTH = 24
FULL, EMPTY = "━", "─"
# Without a terminal a line is printed for a new stage, or after this many more percent.
LINE_EVERY_PERCENT = 10.0
# Longer than any wait that the service has not asked for; whoever watches would wonder.
LONG_WAIT_SECONDS = 15.0


class Progress(Protocol):
    """Shows what it is told; told often, it shows what is news."""

    def uploading(self, sent: int, total: int) -> None: ...

    def at(self, job: Job) -> None: ...

    def end(self) -> None:
        """Leave the screen as a program that prints next wants to find it."""

    def say(self, line: str) -> None: ...


def describe(job: Job) -> str:
    """One line on where a job stands: answers bought or found, steps, share kept, time left."""
    progress = job.progress
    parts = [job.stage or job.state]
    if job.ended:
        parts = [job.state]
    if job.waiting is not None:
        parts.append(job.waiting.detail)
    if progress.teacher.answered:
        stored = progress.teacher.cached or 0
        parts.append(f"{progress.teacher.answered:,} answers ({stored:,} stored)")
    if progress.step:
        parts.append(f"step {progress.step:,}")
    if progress.selected_fraction is not None:
        parts.append(f"{progress.selected_fraction:.0%} kept")
    if job.usage.cost_usd:
        parts.append(f"${job.usage.cost_usd:.2f}")
    if progress.eta_seconds is not None and job.state == "running":
        parts.append(f"{progress.eta_seconds:.0f} s left")
    return " · ".join(parts)


def telling_long_waits(say: Callable[[str], None]) -> OnWait:
    """Takes what a RetryPolicy tells of its waits, and says what is worth a line."""

    def told(seconds: float, failure: LlkdError) -> None:
        if seconds >= LONG_WAIT_SECONDS:
            why, *_ = str(failure).split("\n")
            say(f"{why} (asked again in {seconds:.0f} s)")

    return told


def find_progress(stream: IO[str] | None = None) -> Progress:
    """A notebook's display where one runs, a bar on a terminal, silence elsewhere."""
    notebook = _notebook()
    if notebook is not None:
        return NotebookBar(notebook)
    stream = stream or sys.stderr
    return TerminalBar(stream) if stream.isatty() else Silence()


class Silence:
    """Shows nothing."""

    def uploading(self, sent: int, total: int) -> None:
        return

    def at(self, job: Job) -> None:
        return

    def end(self) -> None:
        return

    def say(self, line: str) -> None:
        return


class TerminalBar:
    """A line that is written over."""

    def __init__(self, stream: IO[str], *, title: str = "") -> None:
        self._stream = stream
        self._title = f"{title} " if title else ""
        self._shown = False

    def uploading(self, sent: int, total: int) -> None:
        percent = 100.0 * sent / total if total else 100.0
        self._show(percent, f"upload · {sent / 1e6:,.1f} of {total / 1e6:,.1f} MB")

    def at(self, job: Job) -> None:
        self._show(job.progress.percent, describe(job))

    def end(self) -> None:
        if self._shown:
            self._shown = False
            self._write("\n")

    def say(self, line: str) -> None:
        self.end()
        self._write(f"{line}\n")

    def _show(self, percent: float, words: str) -> None:
        line = f"{self._title}{bar(percent)} {percent:5.1f} %  {words}"
        # One column less: a full line would wrap, and could not be written over.
        width = shutil.get_terminal_size().columns - 1
        self._write(f"\r\x1b[2K{line[:width]}")
        self._shown = True

    def _write(self, text: str) -> None:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


class Lines:
    """Prints when there is news worth a line."""

    def __init__(self, stream: IO[str], *, title: str = "") -> None:
        self._stream = stream
        self._title = f"{title} " if title else ""
        self._place: str | None = None
        self._percent = -LINE_EVERY_PERCENT

    def uploading(self, sent: int, total: int) -> None:
        if sent >= total:
            self.say(f"{self._title}uploaded {total / 1e6:,.1f} MB")

    def at(self, job: Job) -> None:
        place = job.state if job.ended else job.stage or job.state
        percent = job.progress.percent
        if place != self._place or percent >= self._percent + LINE_EVERY_PERCENT:
            self._place, self._percent = place, percent
            self.say(f"{self._title}{percent:5.1f} %  {describe(job)}")

    def end(self) -> None:
        return

    def say(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


class NotebookBar:
    """A bar that is displayed once and updated in its place."""

    def __init__(self, display: ModuleType) -> None:
        self._module = display
        self._handle: Any = None

    def uploading(self, sent: int, total: int) -> None:
        percent = 100.0 * sent / total if total else 100.0
        self._show(percent, f"upload · {sent / 1e6:,.1f} of {total / 1e6:,.1f} MB")

    def at(self, job: Job) -> None:
        self._show(job.progress.percent, describe(job))

    def end(self) -> None:
        self._handle = None

    def say(self, line: str) -> None:
        self._module.display(self._module.HTML(f"<div>{html.escape(line)}</div>"))

    def _show(self, percent: float, words: str) -> None:
        shown = self._module.HTML(
            f'<progress max="100" value="{percent:.1f}" style="width: 20em"></progress> '
            f"{percent:.1f} % {html.escape(words)}"
        )
        if self._handle is None:
            self._handle = self._module.display(shown, display_id=True)
        else:
            self._handle.update(shown)


def bar(percent: float) -> str:
    full = round(BAR_WIDTH * min(max(percent, 0.0), 100.0) / 100)
    return FULL * full + EMPTY * (BAR_WIDTH - full)


def _notebook() -> ModuleType | None:
    """IPython's display, if IPython runs us in a notebook; it is never imported for this."""
    ipython, display = sys.modules.get("IPython"), sys.modules.get("IPython.display")
    if ipython is None or display is None:
        return None
    shell = ipython.get_ipython()
    return display if shell is not None and hasattr(shell, "kernel") else None
