"""How fast is each engine of this machine on a model, and how far from the reference?

`./run bench engines FOLDER TEXTS` measures as a job does at its export: FOLDER holds an exported
model, TEXTS is lines of {"text": ..., "label": ...} that it was not trained on. Speed is by
processor time, which other work on the machine moves little.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from benchmarks.machine import describe_machine
from llkd.engine_gate import EngineFigures
from llkd.measure_engines import Measured, draw_texts, measure_engines
from llkd.predictor_manifest import MANIFEST, read_manifest

ROW = "{:<18} {:>11} {:>9} {:>9} {:>9} {:>10} {:>6}  {}"
HEAD = ("engine", "texts/CPU s", "agreement", "max dp", "accuracy", "batch dp", "flips", "state")


def measure(folder: Path, texts: Path) -> Measured:
    """Compare the engines on at most 500 of the file's texts."""
    lines = [json.loads(line) for line in texts.read_text(encoding="utf-8").splitlines()]
    places = {label: place for place, label in enumerate(read_manifest(folder / MANIFEST).labels)}
    labels = np.array([places[line["label"]] for line in lines], dtype=np.int64)
    files = {path.name: path for path in folder.iterdir()}
    return measure_engines(files, *draw_texts([line["text"] for line in lines], labels))


def _row(each: EngineFigures) -> str:
    told = " ".join(filter(None, (each.state, each.reason)))
    if each.texts_per_cpu_second is None:
        return ROW.format(each.engine, *["-"] * 6, told)
    return ROW.format(
        each.engine,
        f"{each.texts_per_cpu_second:.0f}",
        f"{each.agreement:.2%}",
        f"{each.max_difference:.4f}",
        f"{each.accuracy:.2%}",
        f"{each.batch_difference:.1e}",
        each.batch_flips,
        told,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="an exported model")
    parser.add_argument("texts", type=Path, help="lines of text and label")
    parser.add_argument("--out", type=Path, help="append one JSON line")
    given = parser.parse_args()
    measured = measure(given.folder, given.texts)
    print(ROW.format(*HEAD))
    print(*map(_row, measured.engines), sep="\n")
    print(f"chosen: {measured.chosen}; {measured.texts} texts {measured.note or ''}".rstrip())
    if given.out is not None:
        line = {"benchmark": "engines", **measured.to_json(), "environment": describe_machine()}
        with given.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
