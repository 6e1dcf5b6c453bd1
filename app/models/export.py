"""Which files of a model are taken away together, so that they run without this service."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import structlog

from app.models.archive import Member
from core.artifacts import ArtifactDamaged, ArtifactStore
from core.db.tables import ModelRow
from core.errors import ModelUnavailable
from llkd.model_kinds import CONFIG, WEIGHTS
from llkd.predictor_manifest import CARD, MANIFEST, MODEL, TOKENIZER

log = structlog.get_logger(__name__)

ExportFormat = Literal["onnx", "safetensors"]
# The card first: it says what the others are and how they are used.
FILES: Mapping[ExportFormat, tuple[str, ...]] = {
    "onnx": (CARD, MANIFEST, TOKENIZER, MODEL),
    "safetensors": (CARD, MANIFEST, TOKENIZER, CONFIG, WEIGHTS),
}


@dataclass(frozen=True)
class Export:
    """One archive.

    Attributes:
        filename: ends in .tar.
        tag: a strong ETag, known without reading the files.
        members: in their order.
    """

    filename: str
    tag: str
    members: tuple[Member, ...]


def find_export(artifacts: ArtifactStore, model: ModelRow, kind: ExportFormat) -> Export:
    """What the archive of a model holds; no weight is read yet.

    Raises:
        ModelUnavailable: a file is missing.
    """
    try:
        files = artifacts.tree(model.artifact)
        named = [(name, files[name]) for name in FILES[kind]]
    except (ArtifactDamaged, KeyError) as error:
        log.error("model_export_failed", model=model.id, reason=str(error))
        raise ModelUnavailable(model.id) from error
    stem = f"{model.name}-{model.version}"
    return Export(
        filename=f"{stem}-{kind}.tar",
        tag=_tag(stem, model.artifact, kind),
        # In a folder of its own: unpacked in a full one, it mixes with nothing.
        members=tuple(Member(f"{stem}/{name}", path, path.stat().st_size) for name, path in named),
    )


def _tag(*parts: str) -> str:
    """Of all that decides the archive's bytes: its folder, its tree of files, its form."""
    return f'"{hashlib.sha256(" ".join(parts).encode()).hexdigest()[:32]}"'
