"""What goes into and comes out of /v1/classify: the shape that vLLM's server has."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.predict.schemas import Input


class ClassifyRequest(BaseModel):
    """Texts to classify; of vLLM's options, those that change nothing here are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    model: str = Field(
        min_length=1,
        max_length=200,
        description="A model's id, its name (its latest version), or `name@alias`.",
        examples=["tickets@latest"],
    )
    input: Input
    truncate_prompt_tokens: Literal[-1] | None = Field(
        default=None,
        description="Null or -1: a longer text is read up to the model's length, as always here.",
        examples=[-1],
    )
    truncation_side: Literal["right"] | None = Field(
        default=None, description="Where longer texts are cut: at their end.", examples=["right"]
    )
    add_special_tokens: Literal[True] = Field(
        default=True, description="The model reads texts as in training.", examples=[True]
    )
    use_activation: Literal[True] | None = Field(
        default=None, description="`probs` are probabilities.", examples=[True]
    )
    activation: Literal[True] | None = Field(
        default=None, description="An older name of `use_activation`.", examples=[True]
    )
    softmax: Literal[True] | None = Field(
        default=None, description="An older name of `use_activation`.", examples=[True]
    )
    priority: Literal[0] = Field(
        default=0, description="Requests take fair turns; none goes first.", examples=[0]
    )
    user: str | None = Field(
        default=None, max_length=1000, description="Taken, and not used.", examples=["crm"]
    )
    request_id: str | None = Field(
        default=None,
        max_length=200,
        description="Taken, and not used; the header X-Request-ID names a request.",
        examples=["r-1"],
    )


class ClassifyEntry(BaseModel):
    """The answer to one text."""

    index: int = Field(description="Place of the text in `input`, from 0.", examples=[0])
    label: str = Field(description="The best label.", examples=["tech"])
    probs: list[float] = Field(
        description="A probability a label, in the order of the model's `labels`.",
        examples=[[0.04, 0.94, 0.02]],
    )
    num_classes: int = Field(description="How many labels the model has.", examples=[3])


class ClassifyUsage(BaseModel):
    prompt_tokens: int = Field(description="Tokens read, over all texts.", examples=[25])
    total_tokens: int = Field(description="The same: nothing is written.", examples=[25])
    completion_tokens: int = Field(description="Always 0.", examples=[0])
    prompt_tokens_details: None = Field(description="Always null.", examples=[None])


class Classification(BaseModel):
    """One answer a text, in the order of `input`."""

    id: str = Field(description="Of this answer.", examples=["classify-01JZ8Q4ZK3V9W2T5R7X1"])
    object: Literal["list"] = Field(examples=["list"])
    created: int = Field(description="Seconds since 1970.", examples=[1767225600])
    model: str = Field(
        description="The immutable model that answered.",
        examples=["model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"],
    )
    data: list[ClassifyEntry] = Field(description="The answers.")
    usage: ClassifyUsage = Field(description="What was read.")
