"""Which engine should serve this model on this machine? Measured, one process an engine."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from llkd.engine_gate import FEWEST_TEXTS, EngineFigures, choose_fastest, judge
from llkd.engine_probe import Probe
from llkd.engines.base import REFERENCE, EngineName
from llkd.engines.catalog import why_absent
from llkd.engines.machine import Machine, this_machine
from llkd.types import IntArray, Json

# Enough to see one flip in a hundred, few enough for seconds.
MOST_TEXTS = 500
# CPU time of the reference for its first round, of five; slow models are measured on fewer texts.
SECONDS = 10.0
# By the clock: on a machine whose cores are busy with other work, or with a slow disk.
PATIENCE = timedelta(minutes=5)


@dataclass(frozen=True)
class Measured:
    """What was found on one machine.

    Attributes:
        texts: how many validation texts were compared; 0 where there were too few.
        chosen: what should serve there.
        note: why nothing but the reference was looked at; None else.
    """

    machine: Machine
    measured_at: datetime
    texts: int
    chosen: EngineName
    note: str | None
    engines: tuple[EngineFigures, ...]

    def to_json(self) -> Json:
        return {
            "machine": self.machine.to_json(),
            "measured_at": self.measured_at.isoformat(),
            "texts": self.texts,
            "chosen": self.chosen.value,
            "note": self.note,
            "engines": [asdict(each) | {"engine": each.engine.value} for each in self.engines],
        }


def measure_engines(
    files: Mapping[str, Path],
    texts: Sequence[str],
    labels: IntArray,
    *,
    candidates: Sequence[EngineName] = tuple(EngineName),
    seconds: float = SECONDS,
) -> Measured:
    """Hold every engine of this machine against the reference.

    Args:
        files: the model's files by name.
        texts: M that it was not trained on, in an order drawn by lot.
        labels: [M], in 0..K-1.
        candidates: engines to look at, beside the reference.
        seconds: see `SECONDS`.
    """
    if len(texts) < FEWEST_TEXTS:
        note = f"{len(texts)} validation texts are too few to compare engines on"
        return _only_reference(f"{note}; {FEWEST_TEXTS} are needed")
    reference = _probe(REFERENCE, files, texts, seconds=seconds)
    if isinstance(reference, str):
        return _only_reference(f"the reference could not be measured: {reference}")
    count = len(reference.alone)
    if count < FEWEST_TEXTS:
        return _only_reference(f"only {count} texts were answered within {seconds:g} CPU seconds")
    found = [judge(REFERENCE, reference, reference, labels[:count])]
    found += [
        _measure(name, files, texts[:count], labels[:count], reference)
        for name in candidates
        if name is not REFERENCE
    ]
    return Measured(
        machine=this_machine(),
        measured_at=datetime.now(UTC),
        texts=count,
        chosen=choose_fastest(found, cores=len(os.sched_getaffinity(0))),
        note=None,
        engines=tuple(found),
    )


def draw_texts(texts: Sequence[str], labels: IntArray) -> tuple[list[str], IntArray]:
    """At most 500 of M texts with their labels, by lot, each different text once."""
    first = {text: place for place, text in reversed([*enumerate(texts)])}
    places = np.array(sorted(first.values()), dtype=np.int64)
    drawn = np.random.default_rng(0).permutation(places)[:MOST_TEXTS]
    return [texts[place] for place in drawn], labels[drawn]


def _measure(
    name: EngineName,
    files: Mapping[str, Path],
    texts: Sequence[str],
    labels: IntArray,
    reference: Probe,
) -> EngineFigures:
    absent = why_absent(name, files)
    if absent is not None:
        return EngineFigures(name, "absent", absent)
    # A slower engine than the reference is no candidate; it is given its time all the same.
    found = _probe(name, files, texts, seconds=PATIENCE.total_seconds())
    if isinstance(found, str):
        return EngineFigures(name, "failed", found)
    return judge(name, found, reference, labels)


def _only_reference(note: str) -> Measured:
    return Measured(this_machine(), datetime.now(UTC), 0, REFERENCE, note, ())


def _probe(
    name: EngineName, files: Mapping[str, Path], texts: Sequence[str], *, seconds: float
) -> Probe | str:
    """What the engine's own process found, or why it found nothing."""
    asked = {
        "engine": name,
        "files": {file: str(path) for file, path in files.items()},
        "texts": list(texts),
        "seconds": seconds,
    }
    try:
        done = subprocess.run(
            [sys.executable, "-m", "llkd.engine_probe"],
            input=json.dumps(asked).encode(),
            capture_output=True,
            timeout=PATIENCE.total_seconds(),
            check=True,
        )
    except subprocess.CalledProcessError as error:
        last_words = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        return f"its process ended with {error.returncode}: {' '.join(last_words)[:300]}"
    except subprocess.TimeoutExpired:
        return f"it did not end within {PATIENCE.total_seconds():.0f} s"
    told = json.loads(done.stdout)
    return str(told["unavailable"]) if "unavailable" in told else Probe(**told)
