"""Hundreds of registered models, each told from all others by the labels it answers with."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks.registering import Shelf
from benchmarks.small_model import write_small_onnx
from llkd.predictor_manifest import MANIFEST, MODEL, TOKENIZER, read_manifest, write_manifest


@dataclass(frozen=True)
class Stocked:
    """A model: its id and its labels, which no other has."""

    id: str
    labels: tuple[str, ...]


def stock(
    shelf: Shelf, files: Mapping[str, Path], scratch: Path, *, count: int, large: int
) -> list[Stocked]:
    """Register `count` models; the first `large` have the weights of these files.

    Equal weights are one file on the disk; in memory each model has its own.
    """
    tokenizer = Tokenizer.from_file(str(files[TOKENIZER]))
    manifest = read_manifest(files[MANIFEST])
    small = scratch / "small.onnx"
    write_small_onnx(
        small, vocabulary=tokenizer.get_vocab_size(), classes=len(manifest.labels), seed=0
    )
    found = []
    for number in range(count):
        folder = scratch / f"model-{number}"
        folder.mkdir()
        labels = tuple(f"{label}-{number}" for label in manifest.labels)
        shutil.copyfile(files[MODEL] if number < large else small, folder / MODEL)
        shutil.copyfile(files[TOKENIZER], folder / TOKENIZER)
        write_manifest(replace(manifest, labels=labels), folder / MANIFEST)
        found.append(Stocked(shelf.add(folder, name=f"many-{number}"), labels))
        shutil.rmtree(folder)
    return found
