"""The frame of a benchmark with targets: run it, keep what it found, print and judge it."""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from rich.console import Console

from benchmarks.machine import describe_machine
from benchmarks.serving import FAILURES
from benchmarks.serving_tables import target_table
from benchmarks.serving_targets import Verdict
from demo.service import terminate_as_interrupt

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Found = TypeVar("Found", bound="DataclassInstance")


def run_judged(
    options: argparse.Namespace,
    measure: Callable[[argparse.Namespace, Path, Console], Found],
    *,
    describe: Callable[[Found], str],
    judge: Callable[[Found], Sequence[Verdict]],
) -> int:
    """Measure in a scratch folder; 0 when every target is met, 130 after Ctrl-C.

    Args:
        options: `out`, if given, is the file to which what was found is appended.
    """
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    machine = describe_machine()
    console.print(" · ".join(f"{name} {value}" for name, value in machine.items()))
    try:
        with (
            terminate_as_interrupt(),
            tempfile.TemporaryDirectory(prefix="llkd-bench-") as scratch,
        ):
            found = measure(options, Path(scratch), console)
    except FAILURES as error:
        console.print(f"Failed: {error}", style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return 130
    if options.out is not None:
        with options.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(found), "machine": machine}) + "\n")
    judged = judge(found)
    console.print(describe(found), markup=False, soft_wrap=True)
    console.print(target_table(judged), markup=False, soft_wrap=True)
    return 0 if all(verdict.met for verdict in judged) else 1
