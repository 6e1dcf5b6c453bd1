"""Where a base model's files come from, and whether they may be loaded at all."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ModelSource:
    """What the operator allows.

    Attributes:
        models_dir: folder whose children are `local/NAME` models; None allows none.
        allowed: exact names; empty allows `minilm`, local models and any hub id.
    """

    models_dir: Path | None = None
    allowed: tuple[str, ...] = ()


def locate(name: str, *, revision: str | None, source: ModelSource) -> Path:
    """Return a folder with this model's config, tokenizer and safetensors, checked to be safe.

    Raises:
        ModelNotAllowed: not on the list, outside `models_dir`, without safetensors, or
            asking for code of its own.
    """
    raise NotImplementedError
