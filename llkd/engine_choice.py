"""Which engine serves a model on this machine, by what was measured before."""

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from llkd.engines.base import REFERENCE, EngineName
from llkd.engines.catalog import why_absent
from llkd.engines.machine import Machine, this_machine

AUTO: Literal["auto"] = "auto"


@dataclass(frozen=True)
class EngineChoice:
    """What serves, and why: for a person."""

    engine: EngineName
    reason: str


REFERENCE_CHOICE = EngineChoice(REFERENCE, "not measured on a machine like this one")


def choose_here(
    measured: Mapping[str, Any] | None,
    *,
    files: Container[str],
    pinned: EngineName | Literal["auto"] = AUTO,
    machine: Machine | None = None,
) -> EngineChoice:
    """The pinned engine, or the one that won on a machine equal to this one, else the reference.

    Args:
        measured: what the model's export says of engines; None of models of earlier releases.
        files: names of the model's files.
        pinned: what the operator wishes to serve every model, measured or not.
        machine: None for this one.
    """
    here = machine or this_machine()
    if pinned != AUTO:
        return _unless_absent(pinned, files, here, reason="set by the operator")
    for each in (measured or {}).get("machines", ()):
        if each["machine"] == here.to_json():
            # A later release may know engines that this one does not.
            if each["chosen"] not in list(EngineName):
                return EngineChoice(REFERENCE, f"{each['chosen']} is not known to this release")
            reason = each["note"] or f"fastest that passed on {each['texts']} texts"
            return _unless_absent(EngineName(each["chosen"]), files, here, reason=reason)
    return REFERENCE_CHOICE


def choose_for(export: Mapping[str, Any], *, pinned: str) -> EngineChoice:
    """The choice for a registered model, by what its export says.

    Args:
        pinned: the operator's setting: `auto`, or the name of an engine.
    """
    return choose_here(
        export.get("engines"),
        files=export.get("files") or (),
        pinned=AUTO if pinned == AUTO else EngineName(pinned),
    )


def with_measurement(measured: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """The same with one more machine's figures, in place of older ones of an equal machine."""
    others = [each for each in measured.get("machines", ()) if each["machine"] != found["machine"]]
    return {**measured, "machines": [*others, dict(found)]}


def _unless_absent(
    name: EngineName, files: Container[str], machine: Machine, *, reason: str
) -> EngineChoice:
    absent = why_absent(name, files, machine=machine)
    if absent is not None:
        return EngineChoice(REFERENCE, f"{name} cannot be used here: {absent}")
    return EngineChoice(name, reason)
