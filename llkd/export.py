"""Turn a trained student into a folder that can be served, checked against the student."""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tokenizers import Tokenizer

from llkd.certification import CERTIFICATION, CertificationTexts
from llkd.certifying import Certified, certify_folder
from llkd.errors import ExportMismatch
from llkd.export_onnx import write_onnx
from llkd.export_parity import Parity, check_parity
from llkd.model_card import ModelCard, render_card
from llkd.model_folder import CONFIG
from llkd.predictor_manifest import CARD, MANIFEST, MODEL, TOKENIZER, Manifest, write_manifest
from llkd.students.network import WEIGHTS
from llkd.students.saved import Saved
from llkd.types import FloatArray

# All of an exported model; anything more would be served, copied and trusted for ever.
EXPORTED_FILES = (CARD, CONFIG, MANIFEST, MODEL, TOKENIZER, WEIGHTS)


def _untold(_: int) -> None:
    """Nobody waits to hear how far it is."""


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        files: name to path; exactly `EXPORTED_FILES`, and certification.json where there
            are texts for it.
        parity: how far it is from the trained student, before a temperature is set.
        certified: how it answers its certification texts; None without any.
    """

    files: dict[str, Path]
    parity: Parity
    certified: Certified | None


def export_student(
    trained: Path,
    destination: Path,
    *,
    card: ModelCard,
    texts: Sequence[str],
    reference: Callable[[Sequence[str]], FloatArray],
    certification: CertificationTexts | None = None,
    told: Callable[[int], None] = _untold,
) -> Exported:
    """Write the served form of a student. Equal students and cards give equal bytes.

    Args:
        trained: what `Student.save_model` wrote.
        destination: a folder that is empty or does not exist yet.
        card: what the README says; its labels and base model also name the outputs.
        texts: real texts, some of which the parity gate compares.
        reference: N texts to [N, K] probabilities of the trained student, in float32; for
            one on a GPU, which answers in bfloat16, `llkd.export_reference.saved_student`.
        certification: what the model is calibrated and certified on; None leaves its
            temperature at 1.
        told: called with how many of those are answered, now and then; may raise.

    Raises:
        ExportMismatch: the written model does not answer as the trained one, or the labels
            are not as many as its outputs.
        FileExistsError: the destination holds something.
    """
    destination.mkdir(parents=True, exist_ok=True)
    if any(destination.iterdir()):
        raise FileExistsError(f"{destination} is not empty")
    saved = Saved.load(trained)
    outputs = saved.network.class_count
    if outputs != len(card.labels):
        raise ExportMismatch(f"the student has {outputs} outputs for {len(card.labels)} labels")
    write_served(
        saved,
        trained,
        destination,
        labels=tuple(label.name for label in card.labels),
        base_model=card.base_model,
        base_revision=card.base_revision,
    )
    _write_config(trained, destination)
    shutil.copyfile(trained / WEIGHTS, destination / WEIGHTS)

    parity = check_parity(destination, texts, reference)
    expected, certified = set(EXPORTED_FILES), None
    if certification is not None:
        certified = certify_folder(destination, certification, told=told)
        card = replace(card, temperature=certified.certification.temperature)
        expected.add(CERTIFICATION)
    (destination / CARD).write_text(render_card(card), encoding="utf-8")
    files = {path.name: path for path in sorted(destination.iterdir())}
    if set(files) != expected:
        raise ExportMismatch(f"the export left other files than it should: {sorted(files)}")
    return Exported(files, parity, certified)


def write_served(
    saved: Saved,
    trained: Path,
    destination: Path,
    *,
    labels: tuple[str, ...],
    base_model: str,
    base_revision: str | None = None,
) -> dict[str, Path]:
    """Write the three files that a predictor reads; returns them by name.

    Args:
        saved: the student, which ends in evaluation mode on the CPU.
        trained: the folder it was read from.
        labels: the K class names, in the order of the outputs.
    """
    manifest = Manifest(
        labels=labels,
        kind=saved.network.kind,
        max_length=saved.max_length,
        pad_id=saved.reader.pad_id,
        base_model=base_model,
        base_revision=base_revision,
        pooling=saved.pooling,
    )
    _write_tokenizer(trained, destination)
    write_onnx(saved.network, destination / MODEL)
    write_manifest(manifest, destination / MANIFEST)
    return {name: destination / name for name in (MODEL, TOKENIZER, MANIFEST)}


def _write_config(trained: Path, destination: Path) -> None:
    """Copy config.json without the folder on this machine that the encoder came from."""
    config = json.loads((trained / CONFIG).read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    text = json.dumps(config, indent=2, sort_keys=True, ensure_ascii=False)
    (destination / CONFIG).write_text(text + "\n", encoding="utf-8")


def _write_tokenizer(trained: Path, destination: Path) -> None:
    """Copy tokenizer.json without padding and truncation, which are the reader's to set."""
    tokenizer = Tokenizer.from_file(str(trained / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    tokenizer.save(str(destination / TOKENIZER), pretty=False)
