"""What every spec is, and the words that several of them share."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

OFFLINE_MODEL = "minilm"


class Spec(BaseModel):
    """Frozen; refuses unknown fields and quiet conversions ("3" is not 3)."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _storable(text: str) -> str:
    # Neither fits a database; refused here, they never reach one.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("a text may not contain NUL or lone surrogates")
    return text


# What a person writes for a model to read.
Prose = Annotated[str, AfterValidator(_storable)]
Text = Annotated[Prose, StringConstraints(min_length=1, max_length=20_000)]
ModelName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=200),
    Field(
        description="`minilm` (offline), a Hugging Face id `owner/name`, or `local/NAME`: a folder "
        "below LLKD_MODELS_DIR. Safetensors only; no remote code.",
        examples=[OFFLINE_MODEL],
    ),
]
Revision = Annotated[
    str | None,
    Field(
        pattern=r"^[0-9a-f]{40}$",
        description="Commit of a hub model; required for a Hugging Face id.",
    ),
]


def label_key(name: str) -> str:
    """The form under which two label names count as the same one."""
    return unicodedata.normalize("NFKC", name).casefold().strip()
