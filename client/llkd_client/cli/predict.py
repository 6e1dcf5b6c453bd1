"""`llkd predict`: one text for a person, or lines into JSON lines."""

import itertools
import queue
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llkd_client.cli import output
from llkd_client.cli.connection import connected, patiently_connected
from llkd_client.cli.exit_codes import FAILED
from llkd_client.cli.lines import Line, read_lines
from llkd_client.cli.models import ModelName
from llkd_client.cli.output import AsJson, Json

if TYPE_CHECKING:
    from llkd_client import Client, Fault, InvalidRequest

FROM_STDIN = "-"
# Of lines that were read and not yet asked about: whoever writes them waits for us.
BATCHES_AHEAD = 2
# A line that comes alone is not kept for longer, in case that others follow it.
LINGER_S = 0.02
INPUT_POINTER = "/input/"
TOO_LARGE = 413


def predict(
    context: typer.Context,
    model: ModelName,
    text: Annotated[
        str, typer.Argument(metavar="[TEXT | -]", help="A text; - or nothing reads lines.")
    ] = FROM_STDIN,
    top_k: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Scores of so many labels.")
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(min=0, max=1, help="Below this score the model abstains.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, max=10_000, help="Lines a request.")] = 256,
    as_json: AsJson = None,
) -> None:
    """Classify a text, or each line of the standard input: a JSON line for each, in order."""
    options: Json = {}
    if top_k is not None:
        options["top_k"] = top_k
    if threshold is not None:
        options |= {"threshold": threshold, "on_low_confidence": "abstain"}
    if text != FROM_STDIN:
        with connected(context) as client:
            told = client.predict(model, text, **options)
        _show(told, as_json=output.wants_json(as_json))
        return
    # Python has none where the shell closed it.
    if sys.stdin is None:
        raise typer.BadParameter("The standard input is closed.", param_hint="TEXT")
    with patiently_connected(context) as client:
        # A wrong name is told before anything is read.
        client.models.get(model)
        if sys.stdin.isatty():
            output.say("A text a line; Ctrl-D ends.")
        failed = sum(
            _answer(client, model, lines, options)
            for lines in _batches(read_lines(sys.stdin.fileno()), batch)
        )
    if failed:
        output.say(f"{failed:,} lines have no answer.")
        raise typer.Exit(FAILED)


def _show(told: Any, *, as_json: bool) -> None:
    answer = told.data[0]
    if as_json:
        output.print_json({"model": told.model, **output.as_document(answer)})
        return
    rows = ((each.label, f"{each.score:.4f}") for each in answer.scores)
    output.print_table(("label", "score"), rows, empty="")
    if answer.abstained:
        output.say("The model abstains.")
    if answer.truncated:
        output.say("Only the beginning of the text was read.")


def _answer(client: "Client", model: str, lines: list[Line], options: Json) -> int:
    """Print an answer a line, in order; returns how many have none."""
    told: dict[int, Json] = {
        line.number: _fault("invalid-encoding", "The line is no UTF-8.")
        for line in lines
        if line.text is None
    }
    texts = {line.number: line.text for line in lines if line.text is not None}
    for part in _parts(texts):
        told |= _asked(client, model, part, options)
    failed = 0
    for line in lines:
        answer = told[line.number]
        if "error" in answer:
            failed += 1
            output.say(f"line {line.number}: {answer['error']['message']}")
        output.print_json({"line": line.number, "text": line.text, **answer})
    return failed


def _parts(texts: Mapping[int, str]) -> Iterator[dict[int, str]]:
    """As many texts as the service takes at once, by line number."""
    from llkd_client.calls.predictions import batches

    numbers = iter(texts)
    for part in batches(texts.values(), most=len(texts)):
        yield dict(zip(itertools.islice(numbers, len(part)), part, strict=True))


def _asked(
    client: "Client", model: str, texts: Mapping[int, str], options: Json
) -> dict[int, Json]:
    """Answers by line number; texts that the service points at are left out, the rest answered."""
    from llkd_client import InvalidRequest

    told: dict[int, Json] = {}
    while texts:
        try:
            answers = client.predict(model, texts.values(), **options)
        except InvalidRequest as error:
            numbers = list(texts)
            bad = {numbers[place]: fault for place, fault in _pointed_at(error).items()}
            if not bad and len(texts) == 1 and error.status == TOO_LARGE:
                return {numbers[0]: _fault(error.code, str(error))}
            if not bad:
                raise
            told |= {number: _fault(each.code, each.message) for number, each in bad.items()}
            texts = {number: text for number, text in texts.items() if number not in bad}
            continue
        for number, answer in zip(texts, answers.data, strict=True):
            document = output.as_document(answer)
            document.pop("index", None)
            told[number] = document
        break
    return told


def _pointed_at(error: "InvalidRequest") -> dict[int, "Fault"]:
    """The faults of single texts, by their place in the request."""
    return {
        int(fault.pointer.removeprefix(INPUT_POINTER)): fault
        for fault in error.errors
        if fault.pointer.removeprefix(INPUT_POINTER).isdigit()
    }


def _batches(lines: Iterator[Line], size: int) -> Iterator[list[Line]]:
    """What is there already, up to so many lines; read ahead on a thread, and no further.

    Raises:
        OSError: the lines cannot be read; those before are told.
    """
    waiting: queue.Queue[Line | OSError | None] = queue.Queue(maxsize=BATCHES_AHEAD * size)

    def read() -> None:
        ended: OSError | None = None
        try:
            for line in lines:
                waiting.put(line)
        except OSError as error:
            ended = error
        waiting.put(ended)

    threading.Thread(target=read, daemon=True).start()
    came = waiting.get()
    while isinstance(came, Line):
        batch, until = [came], time.monotonic() + LINGER_S
        with suppress(queue.Empty):
            while len(batch) < size and isinstance(came := waiting.get(timeout=_left(until)), Line):
                batch.append(came)
        yield batch
        if isinstance(came, Line):
            came = waiting.get()
    if came is not None:
        raise came


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())


def _fault(code: str, message: str) -> Json:
    return {"label": None, "error": {"code": code, "message": message}}
