"""What an exported model says of itself: llkd.json, and the names of the files beside it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

MANIFEST = "llkd.json"
MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
CARD = "README.md"

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Manifest:
    """All that a predictor needs beside weights and tokenizer.

    Attributes:
        labels: the K class names, in the order of the logits.
        max_length: tokens read of a text.
        pad_id: token that fills up shorter texts.
        pooling: how token states become one vector.
        base_model: what the student was made from, for people.
        base_revision: commit of a hub model, or None.
        kind: `encoder` or `static`, as in the student's spec.
        temperature: what logits are divided by before the softmax; None is 1.
    """

    labels: tuple[str, ...]
    max_length: int
    pad_id: int
    base_model: str
    base_revision: str | None = None
    pooling: str = "mean"
    kind: str = "encoder"
    temperature: float | None = None


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write llkd.json: the same bytes for the same manifest."""
    content = {
        "format_version": FORMAT_VERSION,
        **asdict(manifest),
        # Read when the safetensors of this folder are loaded for further training.
        "class_count": len(manifest.labels),
    }
    text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def read_manifest(path: Path) -> Manifest:
    """Read llkd.json.

    Raises:
        ValueError: not JSON, of another format version, or with a field missing or off.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{MANIFEST} is not of format version {FORMAT_VERSION}")
    try:
        manifest = _manifest(content)
    except KeyError as error:
        raise ValueError(f"{MANIFEST} has no {error}") from error
    usable = manifest.temperature is None or manifest.temperature > 0
    if len(manifest.labels) < 2 or manifest.max_length < 1 or not usable:
        raise ValueError(f"{MANIFEST} makes no sense: {manifest}")
    return manifest


def _manifest(content: dict[str, Any]) -> Manifest:
    temperature = content["temperature"]
    return Manifest(
        labels=tuple(map(str, content["labels"])),
        max_length=int(content["max_length"]),
        pad_id=int(content["pad_id"]),
        base_model=str(content["base_model"]),
        base_revision=content["base_revision"],
        pooling=str(content["pooling"]),
        # Models of the first releases are encoders and do not say so.
        kind=str(content.get("kind", "encoder")),
        temperature=None if temperature is None else float(temperature),
    )
