"""How do we serve a model, side by side with others on the same model and texts?

`python -m benchmarks.serving --peer NAME=PYTHON …`: every server is started, and bursts of
requests go to one after another, round after round, so that what else the machine does meets all
of them alike.
"""

import argparse
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import httpx
from rich.console import Console

from benchmarks.contenders import INT8, OURS, OURS_REFERENCE, PEERS, Contender, ours, peer
from benchmarks.in_process import in_process
from benchmarks.load_generator import load_generator
from benchmarks.machine import describe_machine
from benchmarks.peer_model import NotForPeers, own_copy, write_for_peers
from benchmarks.registering import shelf
from benchmarks.running import running
from benchmarks.served_model import VALIDATED_ON, ensure_model
from benchmarks.serving_figures import LoadShape
from benchmarks.serving_report import keep, report
from benchmarks.serving_run import Arena, Plan, measure
from benchmarks.serving_texts import ServingTexts, from_folder, generated, lengths_said
from demo.service import ServiceFailed, terminate_as_interrupt
from llkd.engine_choice import AUTO
from llkd.engines.base import REFERENCE, EngineName
from llkd_client import LlkdError

TRAINED_ON = 600 + VALIDATED_ON
# The setting that has every model served by one engine.
PINNED = "LLKD_PREDICT_ENGINE"
FAILURES = (
    ServiceFailed,
    LlkdError,
    NotForPeers,
    httpx.TransportError,
)


def main() -> int:
    """Measure and print; 0 when all that was started answered, whatever the figures are."""
    options = _options()
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    try:
        with (
            terminate_as_interrupt(),
            tempfile.TemporaryDirectory(prefix="llkd-serving-") as scratch,
        ):
            _run(options, Path(scratch), console)
    except FAILURES as error:
        console.print(f"Failed: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    return 0


def _run(options: argparse.Namespace, scratch: Path, console: Console) -> None:
    machine = describe_machine()
    console.print(" · ".join(f"{name} {value}" for name, value in machine.items()))
    texts = read_texts(options)
    data_dir = options.data_dir or scratch / "var"
    model = ensure_model(data_dir, texts, brought=options.model_dir, console=console)
    with shelf(data_dir) as stored:
        files = dict(stored.files(model))
        engine = _engine(stored.engine(model), options.setting)
    console.print(lengths_said(texts.asked, files["tokenizer.json"]))
    quantize = any(name.endswith(INT8) for name in options.peer)
    forms = write_for_peers(files, scratch / "forms", quantize=quantize)
    console.print(f"Our engine: {engine}.")
    contenders = [
        *_ours(data_dir, model, engine=engine, settings=options.setting),
        *(
            peer(name, python, own_copy(name, forms, scratch / "peers"))
            for name, python in options.peer.items()
        ),
    ]
    _say_who(contenders, console)
    with ExitStack() as stack:
        arena = Arena(
            [stack.enter_context(running(each, scratch)) for each in contenders],
            stack.enter_context(load_generator()),
            stack.enter_context(in_process(files, texts.asked, engine)),
        )
        found = measure(arena, _plan(options, texts), files, say=console.print)
    report(found, console)
    if options.out is not None:
        keep(found, options.out, machine)


def _engine(chosen: EngineName, settings: Mapping[str, str]) -> EngineName:
    """What serves with these settings, where the gate has chosen so."""
    pinned = settings.get(PINNED, AUTO)
    return chosen if pinned == AUTO else EngineName(pinned)


def _ours(
    data_dir: Path, model: str, *, engine: EngineName, settings: Mapping[str, str]
) -> list[Contender]:
    """Our server, and once more by the reference if that is another engine."""
    found = [ours(data_dir, model, settings=settings)]
    if engine is not REFERENCE:
        pinned = {**settings, PINNED: REFERENCE.value}
        found.append(ours(data_dir, model, name=OURS_REFERENCE, settings=pinned))
    return found


def _say_who(contenders: list[Contender], console: Console) -> None:
    named = {each.name for each in contenders}
    console.print(f"Servers: {', '.join(each.name for each in contenders)}.")
    if missing := [name for name in PEERS if not {name, name + INT8} & named]:
        console.print(f"Left out, for want of an interpreter that has them: {', '.join(missing)}.")


def read_texts(options: argparse.Namespace) -> ServingTexts:
    """From the folder if one is given."""
    if options.texts is None:
        return generated(train=TRAINED_ON, asked=options.asked, seed=options.seed)
    return from_folder(options.texts, train=TRAINED_ON, asked=options.asked, seed=options.seed)


def _plan(options: argparse.Namespace, texts: ServingTexts) -> Plan:
    return Plan(
        texts=texts.asked,
        labels=texts.labels,
        shapes=options.load,
        rounds=options.rounds,
        seconds=options.seconds,
        warm_s=options.warm_seconds,
        mixes=options.mixes,
        seed=options.seed,
    )


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Where the model and the texts come from; shared with the overload benchmark."""
    parser.add_argument("--texts", type=Path, help="folder of a labelled set; else generated")
    parser.add_argument("--asked", type=int, default=320, help="different texts that are sent")
    parser.add_argument("--data-dir", type=Path, help="where the model is kept, and found again")
    parser.add_argument("--model-dir", type=Path, help="an exported model; else one is trained")
    parser.add_argument(
        "--setting", type=_pair, action="append", help="LLKD_NAME=VALUE for our server; repeat"
    )
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--out", type=Path, help="JSON lines are appended here")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="serving", description=__doc__)
    parser.add_argument(
        "--peer", type=_pair, action="append", help=f"NAME=PYTHON of {', '.join(PEERS)}; repeat"
    )
    parser.add_argument("--load", type=_shape, action="append", help="C or CxTEXTS; repeat")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a burst")
    parser.add_argument("--warm-seconds", type=float, default=4.0, help="before the first round")
    parser.add_argument("--mixes", type=int, default=200, help="mixed requests for drift")
    add_model_options(parser)
    options = parser.parse_args()
    options.peer = dict(options.peer or ())
    options.setting = dict(options.setting or ())
    options.load = options.load or [*map(_shape, ("1", "8", "32", "4x32"))]
    for name in options.peer:
        if name == OURS or name.removesuffix(INT8) not in PEERS:
            parser.error(f"there is no peer {name!r}; there are {', '.join(PEERS)}")
    return options


def _pair(written: str) -> tuple[str, str]:
    name, mark, value = written.partition("=")
    if not mark:
        raise argparse.ArgumentTypeError(f"{written!r} is not NAME=VALUE")
    return name, value


def _shape(written: str) -> LoadShape:
    connections, _, texts = written.partition("x")
    return LoadShape(int(connections), int(texts or 1))


if __name__ == "__main__":
    sys.exit(main())
