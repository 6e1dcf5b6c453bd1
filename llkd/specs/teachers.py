"""Who labels the texts."""

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from llkd.specs.base import OFFLINE_MODEL, ModelName, Prose, Revision, Spec

TEACHER_ID = r"^teacher_[0-9A-HJKMNP-TV-Z]{26}$"
EXAMPLE_TEACHER = "teacher_01JZ8Q6S0W4R8T2M5N7P9K3XVB"
MOST_MEMBERS = 5

ExamplesPerLabel = Annotated[
    int,
    Field(
        ge=0,
        le=64,
        description="How many of each label's examples stand in the prompt, the first ones.",
    ),
]


Origin = Literal["provided", "label_logprob", "truncated_logprob", "votes", "verbalised"]


class FewShotTeacher(Spec):
    """A local teacher that needs no key: embeddings, and a classifier fitted on the labels'
    names, descriptions and examples. Its probabilities are calibrated by cross-validation."""

    kind: Literal["few_shot"] = "few_shot"
    model: ModelName = OFFLINE_MODEL
    revision: Revision = None


class ProvidedTeacher(Spec):
    """Answers made elsewhere: the dataset's teacher columns, or its second file's."""

    kind: Literal["provided"] = "provided"
    confidence: Origin = Field(
        default="provided",
        description="Where confidences and probabilities come from: a language model's "
        "probability of each label, the same from a list of its likeliest tokens, the share of "
        "several answers that agree, or what a language model said of its sureness. `provided`: "
        "nobody knows. What is given as votes is known for that.",
    )


class ZeroShotTeacher(Spec):
    """A local teacher that needs no example: a model of natural language inference reads text
    and label together, or an encoder compares their vectors."""

    kind: Literal["zero_shot"] = "zero_shot"
    model: ModelName = OFFLINE_MODEL
    revision: Revision = None
    hypothesis: Annotated[Prose, StringConstraints(min_length=2, max_length=500)] = Field(
        default="This text is about {}.",
        description="What a label claims of a text; `{}` is the label's name, followed by its "
        "description. Read by a model of natural language inference alone.",
    )

    @field_validator("hypothesis")
    @classmethod
    def _has_one_place(cls, hypothesis: str) -> str:
        if hypothesis.count("{}") != 1:
            raise ValueError("the hypothesis needs exactly one {}")
        return hypothesis


class HuggingFaceTeacher(Spec):
    """A local causal language model that is asked for the exact probability of every label.
    Its own chat template is used where it has one."""

    kind: Literal["huggingface"] = "huggingface"
    model: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200),
        Field(
            description="A Hugging Face id `owner/name`, or `local/NAME`: a folder below "
            "LLKD_MODELS_DIR. Safetensors only; no remote code.",
            examples=["local/qwen2.5-1.5b-instruct"],
        ),
    ]
    revision: Revision = None
    examples_per_label: ExamplesPerLabel = 4
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description="In which numbers it computes; `auto`: bfloat16 on a GPU that has units for it,"
        " which moves probabilities by one or two hundredths.",
    )

    @field_validator("model")
    @classmethod
    def _can_write(cls, model: str) -> str:
        if model == OFFLINE_MODEL:
            raise PydanticCustomError(
                "no-causal-lm", "the model {model} writes no text", {"model": model}
            )
        return model


class TokenPrices(Spec):
    """What a model's tokens cost."""

    input_usd_per_million: float = Field(ge=0, le=10_000, allow_inf_nan=False, examples=[0.15])
    output_usd_per_million: float = Field(ge=0, le=10_000, allow_inf_nan=False, examples=[0.6])


class OpenAITeacher(Spec):
    """A server that speaks OpenAI's chat completions: OpenAI, Azure, vLLM, SGLang, llama.cpp,
    Ollama, OpenRouter and others. Either a stored connection (`teacher_id`), which alone can
    carry a key, or `base_url` and `model` of a server that needs none. Both only where the
    address is the connection's own, as a stored job has them."""

    kind: Literal["openai"] = "openai"
    teacher_id: str | None = Field(
        default=None,
        pattern=TEACHER_ID,
        description="A stored connection; see POST /teachers.",
        examples=[EXAMPLE_TEACHER],
    )
    base_url: Annotated[str, StringConstraints(min_length=8, max_length=500)] | None = Field(
        default=None,
        description="Where the server answers, without `/chat/completions`. Its host has to be one "
        "the operator allows.",
        examples=["http://vllm:8000/v1"],
    )
    model: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None,
        description="The model's name on that server; null: the stored connection's.",
        examples=["qwen2.5-7b-instruct"],
    )
    confidence: Literal["auto", "logprobs", "votes", "verbalised", "none"] = Field(
        default="auto",
        description="Where its confidence comes from. `auto`: the server is asked once and the "
        "best way that it offers is taken. A way that is named fails if the server lacks it.",
    )
    votes: int = Field(
        default=5, ge=2, le=25, description="Answers a text, where confidence comes from votes."
    )
    examples_per_label: ExamplesPerLabel = 4
    concurrency: int = Field(default=64, ge=1, le=512, description="Calls in flight at the most.")
    requests_per_minute: int | None = Field(default=None, ge=1, le=1_000_000, examples=[500])
    tokens_per_minute: int | None = Field(
        default=None, ge=100, le=1_000_000_000, examples=[200_000]
    )
    timeout_seconds: float = Field(
        default=60.0,
        ge=1,
        le=600,
        allow_inf_nan=False,
        description="Of one call; a call that takes longer may have been billed.",
    )
    prices: TokenPrices | None = Field(
        default=None,
        description="What its tokens cost. Null: the stored connection's, else the operator's "
        "price table, else nothing on a host of the operator's own network.",
    )

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.teacher_id is None and self.base_url is None:
            raise PydanticCustomError("teacher-connection", "give a teacher_id, or a base_url")
        if self.teacher_id is None and self.model is None:
            raise PydanticCustomError("teacher-connection", "base_url needs a model")
        # What does not print fits no database, or no log.
        if self.model is not None and not self.model.isprintable():
            raise PydanticCustomError("not-printable", "a model's name has printable characters")
        return self


LocalTeacher = FewShotTeacher | HuggingFaceTeacher | ProvidedTeacher | ZeroShotTeacher

SingleTeacher = Annotated[LocalTeacher | OpenAITeacher, Field(discriminator="kind")]


class EnsembleTeacher(Spec):
    """Several teachers that are all asked about every text."""

    kind: Literal["ensemble"] = "ensemble"
    teachers: Annotated[
        tuple[SingleTeacher, ...],
        Field(
            strict=False,
            min_length=2,
            max_length=MOST_MEMBERS,
            description="Each keeps answers of its own, which jobs that ask it alone share.",
        ),
    ]
    combine: Literal["average", "vote"] = Field(
        default="average",
        description="`average`: the mean of their probabilities, a bare label counting as certain. "
        "`vote`: the label most of them give, sure to the share that give it.",
    )


TeacherSpec = Annotated[LocalTeacher | OpenAITeacher | EnsembleTeacher, Field(discriminator="kind")]


def members_of(
    teacher: LocalTeacher | OpenAITeacher | EnsembleTeacher,
) -> tuple[LocalTeacher | OpenAITeacher, ...]:
    """The teachers that are asked: the only one, or those of an ensemble."""
    return teacher.teachers if isinstance(teacher, EnsembleTeacher) else (teacher,)
