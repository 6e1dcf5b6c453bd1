"""/models."""

from os import PathLike
from pathlib import Path

from llkd_client.following import download, pages
from llkd_client.operations import Core, Items, Operation
from llkd_client.requests import Repeat, Request, given, path_of
from llkd_client.shapes.base import Page
from llkd_client.shapes.models import Alias, Deferral, Drift, Keeping, KeptText, Model


def list_models(
    core: Core, /, *, name: str | None = None, limit: int | None = None
) -> Items[Model]:
    """Models, newest first; only the versions of this name."""
    query = {} if name is None else {"name": name}
    return pages(core, Model, "/models", query=query, limit=limit)


def get(core: Core, /, model: str) -> Operation[Model]:
    """By id, by name (its newest version), or as `name@alias`."""
    return core.fetch(Model, Request("GET", path_of("models", model)))


def delete(core: Core, /, model_id: str) -> Operation[None]:
    """Raises Conflict while an alias points at it, or a job starts from it."""
    return core.do(Request("DELETE", path_of("models", model_id)))


def export(
    core: Core,
    /,
    model: str,
    path: str | PathLike[str],
    *,
    format: str = "onnx",  # noqa: A002 - as the contract calls it
) -> Operation[Path]:
    """The model as a tar archive, with a card that says how to run it: `onnx`, `safetensors`.

    Args:
        path: the file to write; or a folder, where the service names it.
    """
    request = Request("GET", path_of("models", model, "export"), query={"format": format})
    return download(core, request, Path(path))


def aliases(core: Core, /, name: str) -> Operation[list[Alias]]:
    """All of them: this list comes whole."""
    page = yield from core.fetch(Page[Alias], Request("GET", path_of("models", name, "aliases")))
    return page.data


def alias(core: Core, /, name: str, alias: str) -> Operation[Alias]:
    """What it points at; its `etag` is what `if_match` takes."""
    answer = yield from core.ask(Request("GET", _alias(name, alias)))
    return answer.read(Alias).model_copy(update={"etag": answer.tag})


def set_alias(
    core: Core,
    /,
    name: str,
    alias: str,
    model_id: str,
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
) -> Operation[Alias]:
    """Point the alias at this version.

    Args:
        if_match: move it only if this is its ETag; `*`: only if it is there.
        if_none_match: `*`: make it only if it is not there.

    Raises:
        Conflict: it is not so; `status` is 412.
        ConnectionFailed: with a condition also after one attempt, which may have moved it:
            the next one would be refused for what the first has done.
    """
    condition = _condition(if_match, if_none_match)
    request = Request(
        "PUT",
        _alias(name, alias),
        body={"model_id": model_id},
        headers=condition,
        repeat=Repeat.IF_REFUSED if condition else Repeat.ALWAYS,
    )
    return core.fetch(Alias, request)


def delete_alias(
    core: Core,
    /,
    name: str,
    alias: str,
    *,
    if_match: str | None = None,
    if_none_match: str | None = None,
) -> Operation[None]:
    """Take it away; the model stays. Conditions are those of `set_alias`."""
    condition = _condition(if_match, if_none_match)
    return core.do(Request("DELETE", _alias(name, alias), headers=condition))


def drift(core: Core, /, model: str) -> Operation[Drift]:
    """How far the answers have moved since the model was made, as this process saw them."""
    return core.fetch(Drift, Request("GET", path_of("models", model, "drift")))


def defer(
    core: Core,
    /,
    model: str,
    *,
    max_usd: float | None = None,
    max_teacher_calls: int | None = None,
) -> Operation[Deferral]:
    """Let the model pass hard texts to its teacher, within this budget."""
    body = given(max_usd=max_usd, max_teacher_calls=max_teacher_calls)
    return core.fetch(Deferral, Request("PUT", _deferral(model), body=body))


def deferral(core: Core, /, model: str) -> Operation[Deferral]:
    return core.fetch(Deferral, Request("GET", _deferral(model)))


def stop_deferring(core: Core, /, model: str) -> Operation[None]:
    return core.do(Request("DELETE", _deferral(model)))


def keep_texts(
    core: Core, /, model: str, *, below: float, max_rows: int | None = None
) -> Operation[Keeping]:
    """Keep the texts whose score is below this, for a next job."""
    body = given(below=below, max_rows=max_rows)
    return core.fetch(Keeping, Request("PUT", _kept(model), body=body))


def kept_texts(core: Core, /, model: str, *, limit: int | None = None) -> Items[KeptText]:
    return pages(core, KeptText, _kept(model), limit=limit)


def stop_keeping(core: Core, /, model: str) -> Operation[None]:
    """Keep no more, and delete what was kept."""
    return core.do(Request("DELETE", _kept(model)))


def _alias(name: str, alias: str) -> str:
    return path_of("models", name, "aliases", alias)


def _condition(if_match: str | None, if_none_match: str | None) -> dict[str, str]:
    return given(**{"If-Match": if_match, "If-None-Match": if_none_match})


def _deferral(model: str) -> str:
    return path_of("models", model, "deferral")


def _kept(model: str) -> str:
    return path_of("models", model, "kept_texts")
