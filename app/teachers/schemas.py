"""What a stored teacher is made with, and how it is told."""

import unicodedata
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints
from pydantic_core import PydanticCustomError

from core.logging import MIN_SECRET_LENGTH
from llkd.specs.base import Spec
from llkd.specs.teachers import EXAMPLE_TEACHER, OpenAITeacher, TokenPrices

MAX_KEY_LENGTH = 4096
# A name in other letters grows when it is written in ASCII, to 253 at the most; so none comes to
# more than the 500 characters that a job's teacher may have.
MAX_URL_LENGTH = 240
EXAMPLE_TIME = "2026-07-01T12:00:00Z"
EXAMPLE_URL = "https://api.openai.com/v1"
EXAMPLE_MODEL = "gpt-4o-mini"

# The fields of a job's teacher that a stored one may bring along.
SETTINGS = (
    "concurrency",
    "requests_per_minute",
    "tokens_per_minute",
    "timeout_seconds",
    "prices",
)


def _printable(value: str) -> str:
    shown = unicodedata.normalize("NFC", value).strip()
    if not shown or not shown.isprintable():
        raise PydanticCustomError("not-printable", "give printable characters")
    return shown


def _plain(value: str) -> str:
    if value != value.strip() or not value.isprintable():
        raise PydanticCustomError("not-printable", "give printable characters, no space around")
    return value


def _sendable(value: SecretStr) -> SecretStr:
    # A shorter one could not be kept out of the log, which hides no ordinary words.
    key = value.get_secret_value()
    fits = MIN_SECRET_LENGTH <= len(key) <= MAX_KEY_LENGTH
    if not fits or not all("!" <= character <= "~" for character in key):
        raise PydanticCustomError(
            "invalid-key",
            "a key is {least} to {most} visible ASCII characters",
            {"least": MIN_SECRET_LENGTH, "most": MAX_KEY_LENGTH},
        )
    return value


def _default(field: str) -> object:
    return OpenAITeacher.model_fields[field].default


Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_printable)]
ServerModel = Annotated[
    str, StringConstraints(min_length=1, max_length=200), AfterValidator(_plain)
]
Key = Annotated[SecretStr, AfterValidator(_sendable)]
Concurrency = Annotated[int, Field(ge=1, le=512)]
RequestsPerMinute = Annotated[int, Field(ge=1, le=1_000_000)]
TokensPerMinute = Annotated[int, Field(ge=100, le=1_000_000_000)]
TimeoutSeconds = Annotated[float, Field(ge=1, le=600, allow_inf_nan=False)]


class CallSettings(Spec):
    """Limits and prices. What is not given, or null, is as in a job without a stored teacher."""

    concurrency: Concurrency | None = Field(
        default=None,
        description=f"Calls in flight at the most; {_default('concurrency')} by default.",
        examples=[32],
    )
    requests_per_minute: RequestsPerMinute | None = Field(
        default=None, description="Null: no limit of its own.", examples=[500]
    )
    tokens_per_minute: TokensPerMinute | None = Field(
        default=None, description="Null: no limit of its own.", examples=[200_000]
    )
    timeout_seconds: TimeoutSeconds | None = Field(
        default=None,
        description=f"Of one call; {_default('timeout_seconds')} by default.",
        examples=[60.0],
    )
    prices: TokenPrices | None = Field(
        default=None,
        description="What the model's tokens cost. Null: the operator's price table says, else "
        "nothing on a host of the operator's own network.",
    )


class TeacherCreate(CallSettings):
    """A connection to store: a server, a model, and the key that belongs to that server alone."""

    name: Name = Field(description="What to call it.", examples=["GPT-4o mini"])
    base_url: Annotated[str, StringConstraints(min_length=8, max_length=MAX_URL_LENGTH)] = Field(
        description="Where the server answers, without `/chat/completions`. Its host has to be one "
        "the operator allows. It never changes: another address is another teacher.",
        examples=[EXAMPLE_URL],
    )
    model: ServerModel = Field(
        description="The model's name on that server; never changes.", examples=[EXAMPLE_MODEL]
    )
    key: Key | None = Field(
        default=None,
        description="Sent as a bearer token, to `base_url` alone. Stored encrypted and never told "
        "again. Null for a server that needs none.",
    )


class TeacherPatch(CallSettings):
    """What to change: what is not given stays, and null takes a value away."""

    name: Name = Field(
        default="", description="What to call it; cannot be taken away.", examples=["GPT-4o mini"]
    )
    key: Key | None = Field(
        default=None, description="Another key, or null for none; forgets the last test."
    )


class Told(BaseModel):
    """Every field is always there."""

    model_config = ConfigDict(frozen=True, extra="forbid")


FailureCode = Literal[
    "teacher-url-forbidden",
    "teacher-name-unknown",
    "teacher-unreachable",
    "teacher-tls",
    "teacher-timeout",
    "teacher-too-large",
    "teacher-redirect",
    "teacher-protocol",
    "teacher-auth",
    "teacher-quota",
    "teacher-not-found",
    "teacher-rate-limited",
    "teacher-refused",
    "teacher-error",
    "teacher-capability",
]


class TeacherFailure(Told):
    """Why a teacher could not be used."""

    code: FailureCode = Field(description="Stable.", examples=["teacher-auth"])
    message: str = Field(
        description="For a person.", examples=["The server refused the key (HTTP 401)."]
    )


class TeacherTest(Told):
    """What a probe of the server found."""

    object: Literal["teacher_test"] = Field(examples=["teacher_test"])
    ok: bool = Field(description="Whether jobs can be taught by it as it is.", examples=[True])
    tested_at: datetime = Field(examples=[EXAMPLE_TIME])
    reachable: bool = Field(description="Whether anything answered over HTTP.", examples=[True])
    status: int | None = Field(description="HTTP status of the last answer.", examples=[200])
    model: str | None = Field(
        description="The model that the server says answered.", examples=["gpt-4o-mini-2024-07-18"]
    )
    rung: str | None = Field(
        description="The best source of confidence that it offers.", examples=["top_logprobs"]
    )
    latency_ms: float | None = Field(
        description="Of the quickest call that was answered.", examples=[412.5]
    )
    input_tokens: int = Field(description="As the server counts them.", examples=[180])
    output_tokens: int = Field(description="As the server counts them.", examples=[1])
    failure: TeacherFailure | None = Field(description="Null when it is ok.")


class TeacherRead(Told):
    """A stored connection, without its key."""

    id: str = Field(examples=[EXAMPLE_TEACHER])
    object: Literal["teacher"] = Field(examples=["teacher"])
    name: str = Field(examples=["GPT-4o mini"])
    base_url: str = Field(description="As it is called.", examples=[EXAMPLE_URL])
    model: str = Field(description="The model's name on that server.", examples=[EXAMPLE_MODEL])
    has_key: bool = Field(examples=[True])
    key_last4: str | None = Field(
        description="The end of the key; null for none, and for a short one.", examples=["wxyz"]
    )
    concurrency: int = Field(description="Calls in flight at the most.", examples=[64])
    requests_per_minute: int | None = Field(description="Null: no limit.", examples=[500])
    tokens_per_minute: int | None = Field(description="Null: no limit.", examples=[200_000])
    timeout_seconds: float = Field(description="Of one call.", examples=[60.0])
    prices: TokenPrices | None = Field(description="Null: as the operator's price table says.")
    last_test: TeacherTest | None = Field(
        description="What the newest test with this key found; null before the first."
    )
    created_at: datetime = Field(examples=[EXAMPLE_TIME])
    updated_at: datetime = Field(
        description="Of the connection, not of a test.", examples=[EXAMPLE_TIME]
    )
