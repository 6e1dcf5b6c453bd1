"""What does an exported folder answer, in a process that has never seen torch?

`python -m llkd.parity FOLDER ENGINE` reads {"groups": [[text, ...], ...]} on stdin and writes
{"probabilities": [[p, ...], ...], "heavy_modules": [...]} to stdout: one row a text, the
groups classified one after the other, and which training libraries got imported anyhow.
"""

import json
import sys
from pathlib import Path

from llkd.engines.base import EngineName
from llkd.predictor import Predictor

HEAVY_MODULES = ("torch", "transformers")


def main(folder: Path, engine: EngineName) -> None:
    """Classify stdin's texts with the model in this folder."""
    groups = json.load(sys.stdin.buffer)["groups"]
    predictor = Predictor.load({path.name: path for path in folder.iterdir()}, engine)
    rows = [row for group in groups for row in predictor.classify(group).probabilities.tolist()]
    answer = {
        "probabilities": rows,
        "heavy_modules": [name for name in HEAVY_MODULES if name in sys.modules],
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(Path(sys.argv[1]), EngineName(sys.argv[2]))
