"""What pydantic finds wrong, in the words of somebody who sends JSON."""

from collections.abc import Mapping
from typing import Any

from core.ids import MODEL_REFERENCE, WORD

_WORD = "1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit"
# Patterns of the request schemas, and what they stand for.
_SHAPES = {
    MODEL_REFERENCE: f"Input should name a model: its id, its name, or name@alias ({_WORD})",
    f"^{WORD}$": f"Input should be a name: {_WORD}",
} | {
    f"^{prefix}_[0-9A-HJKMNP-TV-Z]{{26}}$": f"Input should be the id of a {kind} ({prefix}_…)"
    for prefix, kind in (("ds", "dataset"), ("job", "job"), ("teacher", "teacher"))
}
_NO_OBJECT = frozenset({"model_type", "model_attributes_type", "dict_type", "dataclass_type"})


def in_plain_words(fault: Mapping[str, Any]) -> str:
    """The message of one of pydantic's errors, without Python's types and regular expressions."""
    if fault["type"] in _NO_OBJECT:
        return "Input should be a JSON object"
    if fault["type"] == "string_pattern_mismatch":
        # Pydantic's own sentence, of which the pattern is all that differs: some of the faults
        # that come here were made without their context.
        for pattern, meaning in _SHAPES.items():
            if f"'{pattern}'" in fault["msg"]:
                return meaning
    return str(fault["msg"])
