"""Whether a folder of model files is safe to load, and how it is told from another.

Nothing here loads a model: only names, links and JSON are looked at, so the answer
is cheap and needs neither torch nor transformers.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from llkd.errors import ModelNotAllowed
from llkd.model_kinds import (
    CONFIG,
    ENCODER,
    GENERATION_CONFIG,
    SHARD_INDEX,
    SPECIAL_TOKENS,
    TOKENIZER,
    TOKENIZER_CONFIG,
    WEIGHTS,
    ModelKind,
)

__all__ = [
    "CONFIG",
    "TOKENIZER",
    "TOKENIZER_CONFIG",
    "check_folder",
    "fingerprint",
    "read_config",
    "sha256_of",
    "token_limit",
    "weight_files",
]

# These count positions from the padding id on, so that many of them are never used.
_POSITIONS_AFTER_PADDING = frozenset(
    {"camembert", "mpnet", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl"}
)

# Keys by which a configuration asks for code of its own, at any depth.
_CODE_KEYS = frozenset({"auto_map", "trust_remote_code", "custom_pipelines"})
# Keys that may name an implementation; one with an owner is fetched from a hub, and is code.
_IMPLEMENTATION = "implementation"
# Keys by which a configuration asks for other weights than those that are checked.
_WEIGHT_KEYS = frozenset({"transformers_weights", "quantization_config"})
# An adapter names a model of its own, which would be loaded in place of this folder's.
_ADAPTER = "adapter_config.json"
_PLAIN_WEIGHTS = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.safetensors")
# A configuration is a few kilobytes; a larger file is no configuration.
_MAX_CONFIG_BYTES = 4 * 2**20


def check_folder(folder: Path, *, kind: ModelKind = ENCODER, root: Path | None = None) -> None:
    """Refuse a folder that could run code, read outside itself or not be loaded.

    Args:
        folder: the model's files.
        kind: what the model is for.
        root: where links may point to; the folder itself by default. A hub's cache keeps
            its files beside the snapshot and links to them.

    Raises:
        ModelNotAllowed: says which file and why.
    """
    _check_links(folder, root=(root or folder).resolve())
    for name in (CONFIG, TOKENIZER_CONFIG, SPECIAL_TOKENS, GENERATION_CONFIG):
        if (folder / name).exists():
            _check_code_keys(folder, name)
    _check_family(folder, kind)
    _check_weight_keys(folder)
    if not (folder / TOKENIZER).is_file():
        raise ModelNotAllowed(f"{folder.name} has no {TOKENIZER}: only fast tokenizers are read")
    _check_weights(folder)


def fingerprint(folder: Path, *, kind: ModelKind = ENCODER) -> str:
    """Sha256 of all that decides a model's answers: weights, configuration, tokenizer.

    Equal folders have equal fingerprints wherever they stand.
    """
    digest = hashlib.sha256()
    beside = [folder / name for name in kind.deciding if (folder / name).is_file()]
    for path in sorted([*weight_files(folder), *beside]):
        digest.update(f"{path.name} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that hold the weights, in order of name."""
    index = folder / SHARD_INDEX
    if not (folder / WEIGHTS).is_file() and index.is_file():
        return [folder / name for name in sorted(set(_weight_map(folder).values()))]
    return [folder / WEIGHTS]


def sha256_of(path: Path) -> str:
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_config(folder: Path, name: str = CONFIG) -> dict[str, object]:
    """Parse one of the folder's JSON files.

    Raises:
        ModelNotAllowed: missing, too large, or not a JSON object.
    """
    path = folder / name
    if not path.is_file():
        raise ModelNotAllowed(f"{folder.name} has no {name}")
    if path.stat().st_size > _MAX_CONFIG_BYTES:
        raise ModelNotAllowed(f"{name} of {folder.name} is larger than {_MAX_CONFIG_BYTES} bytes")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ModelNotAllowed(f"{name} of {folder.name} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ModelNotAllowed(f"{name} of {folder.name} is not a JSON object")
    return content


def token_limit(folder: Path) -> int | None:
    """Tokens the encoder has positions for, or None when it sets no limit."""
    config = read_config(folder)
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int):
        return None
    pad_id = config.get("pad_token_id")
    if config.get("model_type") in _POSITIONS_AFTER_PADDING and isinstance(pad_id, int):
        return positions - pad_id - 1
    return positions


def _check_links(folder: Path, *, root: Path) -> None:
    for path in folder.rglob("*"):
        if not path.resolve().is_relative_to(root):
            raise ModelNotAllowed(f"{path.name} of {folder.name} is a link out of its folder")


def _check_code_keys(folder: Path, name: str) -> None:
    for key, value in _entries(read_config(folder, name)):
        is_fetched = _IMPLEMENTATION in key and "/" in json.dumps(value)
        if key in _CODE_KEYS or is_fetched:
            raise ModelNotAllowed(f"{name} of {folder.name} asks for code of its own ({key})")


def _entries(value: object) -> Iterator[tuple[str, object]]:
    """Every key of a JSON value with its value, at any depth, without recursion."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            yield from current.items()
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)


def _check_family(folder: Path, kind: ModelKind) -> None:
    family = read_config(folder).get("model_type")
    if family not in kind.families:
        raise ModelNotAllowed(
            f"{folder.name} is a {family!r} model; allowed here are only {kind.what}: "
            f"{', '.join(sorted(kind.families))}"
        )


def _check_weight_keys(folder: Path) -> None:
    found = _WEIGHT_KEYS.intersection(key for key, _ in _entries(read_config(folder)))
    if found:
        raise ModelNotAllowed(
            f"{CONFIG} of {folder.name} asks for other weights than plain safetensors "
            f"({', '.join(sorted(found))})"
        )
    if (folder / _ADAPTER).exists():
        raise ModelNotAllowed(f"{folder.name} has an {_ADAPTER}: it asks for another model")


def _weight_map(folder: Path) -> dict[str, str]:
    weight_map = read_config(folder, SHARD_INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelNotAllowed(f"{SHARD_INDEX} of {folder.name} has no weight_map")
    for name in weight_map.values():
        if not isinstance(name, str) or not _PLAIN_WEIGHTS.fullmatch(name):
            raise ModelNotAllowed(
                f"{SHARD_INDEX} of {folder.name} names {str(name)[:80]!r}, not a plain file"
            )
    return weight_map


def _check_weights(folder: Path) -> None:
    # Checked even beside an unsharded file: a loader might prefer the index.
    if (folder / SHARD_INDEX).exists():
        _weight_map(folder)
    for path in weight_files(folder):
        if not path.is_file():
            raise ModelNotAllowed(f"{folder.name} has no {path.name}: only safetensors are loaded")
