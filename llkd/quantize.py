"""Writes a quantized graph beside an exported model, where NNCF is installed.

`python -m llkd.quantize FOLDER` reads {"texts": [...]} on stdin: a process of its own, because
NNCF loads whatever frameworks it finds and draws progress bars.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

from llkd.engines.catalog import INT8_FILES, INT8_GRAPH
from llkd.predictor_manifest import MANIFEST, MODEL, TOKENIZER, read_manifest
from llkd.predictor_tokens import TokenReader

# Ranges of activations are soon seen; three hundred texts took 17 CPU seconds with MiniLM.
CALIBRATION_TEXTS = 300
PATIENCE = timedelta(minutes=10)


def quantize(folder: Path, texts: Sequence[str]) -> str | None:
    """Write `INT8_FILES` into the folder; returns why there are none, or None.

    Equal models and texts give equal bytes.

    Args:
        folder: an exported model.
        texts: such as it will be asked, from the training pool; 300 are enough.
    """
    if not (find_spec("openvino") and find_spec("nncf")):
        return "the packages openvino and nncf are not both installed"
    try:
        subprocess.run(
            [sys.executable, "-m", "llkd.quantize", str(folder)],
            input=json.dumps({"texts": list(texts[:CALIBRATION_TEXTS])}).encode(),
            capture_output=True,
            timeout=PATIENCE.total_seconds(),
            check=True,
        )
    except subprocess.CalledProcessError as error:
        last_words = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        reason = f"quantization failed: {' '.join(last_words)[:300]}"
    except subprocess.TimeoutExpired:
        reason = f"quantization took more than {PATIENCE.total_seconds():.0f} s"
    else:
        return None
    remove_quantized(folder)
    return reason


def remove_quantized(folder: Path) -> None:
    """Leave the folder as it was exported."""
    for name in INT8_FILES:
        (folder / name).unlink(missing_ok=True)


def main(folder: Path) -> None:
    """Quantize with the texts on stdin."""
    # Before nncf, which would report to its makers.
    from llkd.silent_openvino import openvino  # isort: skip
    import nncf

    manifest = read_manifest(folder / MANIFEST)
    reader = TokenReader.from_file(
        folder / TOKENIZER, max_length=manifest.max_length, pad_id=manifest.pad_id
    )
    rows = []
    for text in json.load(sys.stdin.buffer)["texts"]:
        tokens = reader.read(text)
        ids, mask = reader.pad([tokens], rows=1, width=len(tokens))
        rows.append({"input_ids": ids, "attention_mask": mask})
    quantized = nncf.quantize(
        openvino.Core().read_model(str(folder / MODEL)),
        nncf.Dataset(rows),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(rows),
    )
    openvino.save_model(quantized, str(folder / INT8_GRAPH), compress_to_fp16=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
