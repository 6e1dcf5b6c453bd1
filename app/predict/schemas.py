"""What goes into and comes out of a prediction."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
)

from app.predict.deferral.outcome import DeferralStatus
from llkd.long_texts import MOST_WINDOWS, LongTexts

MAX_TEXTS = 10_000
MAX_TEXT_CHARACTERS = 1024 * 1024
MAX_SCORES = 1_000_000

Text = Annotated[str, StringConstraints(max_length=MAX_TEXT_CHARACTERS)]


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Input = Annotated[
    list[Text],
    # A union of string and list would report a bad item twice, once for each reading.
    BeforeValidator(_as_list, json_schema_input_type=Text | list[Text]),
    Field(
        min_length=1,
        max_length=MAX_TEXTS,
        description=f"Up to {MAX_TEXTS} texts of at most 1 MiB each; a string is a batch of one.",
        examples=[["I was charged twice", "The app crashes on start"]],
    ),
]


Threshold = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
# Told apart by its form: a plain union would report a fault once for each reading.
Thresholds = Annotated[
    Annotated[Threshold, Tag("(for all)")]
    | Annotated[dict[str, Threshold], Field(min_length=1, max_length=1000), Tag("(by label)")],
    Discriminator(lambda value: "(by label)" if isinstance(value, dict) else "(for all)"),
]


class TargetSpec(BaseModel):
    """Agreement with the teacher that the answers shall have: thresholds are found for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    agreement: float = Field(
        gt=0,
        lt=1,
        description="Share of the answers given that equal the teacher's, at the least.",
        examples=[0.95],
    )
    delta: float = Field(
        default=0.05,
        gt=0,
        lt=1,
        description="The risk that it is less, over the draw of the certification texts.",
        examples=[0.05],
    )


class PredictBody(BaseModel):
    """Texts to classify, and how to answer."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    input: Input
    top_k: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="How many labels to score, best first; null scores every label. "
        f"Texts times scores may not pass {MAX_SCORES}.",
        examples=[3],
    )
    threshold: Thresholds | None = Field(
        default=None,
        description="Score that the best label must reach, one for all labels or by label (0 for "
        "those left out); below it the answer is `abstained`.",
        examples=[0.7, {"billing": 0.6, "tech": 0.8}],
    )
    target: TargetSpec | None = Field(
        default=None,
        description="Instead of `threshold`: thresholds by label, certified on texts whose "
        "teacher's answers are known; 422 for a model without such texts. What happens below them "
        "has to be said: `abstain` or `teacher`. Only with the `long_texts` that was certified, "
        "`head`.",
        examples=[{"agreement": 0.95, "delta": 0.05}],
    )
    on_low_confidence: Literal["return", "abstain", "teacher"] = Field(
        default="return",
        description="Below the threshold: `return` keeps the best label, `abstain` makes it null, "
        "`teacher` asks the teacher that made the model, from the model's `deferral` budget.",
        examples=["abstain"],
    )
    long_texts: LongTexts = Field(
        default="head",
        description="What is read of a text that is longer than the model's window: `head`, its "
        "beginning, as in training; `head_tail`, the first and the last half of a window; "
        f"`sliding_mean`, up to {MOST_WINDOWS} windows over all of it, whose probabilities are "
        "averaged. With a `target` it is `head`, of which alone something is certified.",
        examples=["sliding_mean"],
    )


class PredictRequest(PredictBody):
    """Texts to classify with a named model."""

    model: str = Field(
        min_length=1,
        max_length=200,
        description="A model's id, its name (its latest version), or `name@alias`.",
        examples=["tickets@latest"],
    )


class Score(BaseModel):
    label: str = Field(examples=["billing"])
    score: float = Field(ge=0, le=1, description="Probability of the label.", examples=[0.94])


class Prediction(BaseModel):
    """The answer to one text."""

    index: int = Field(description="Place of the text in `input`, from 0.", examples=[0])
    label: str | None = Field(description="The best label; null if abstained.", examples=["tech"])
    score: float | None = Field(
        ge=0,
        le=1,
        description="Of the best label, by whoever answered; null where a teacher tells none.",
        examples=[0.94],
    )
    abstained: bool = Field(
        description="Whether the student's score is below the threshold, and nobody else answered.",
        examples=[False],
    )
    answered_by: Literal["student", "teacher"] = Field(
        description="Who gave `label`.", examples=["student"]
    )
    deferral: DeferralStatus | None = Field(
        description="What came of asking the teacher; null where it was not asked. Unless "
        "`answered` or `cached`, the student's answer stands, and is `abstained`.",
        examples=[None],
    )
    truncated: bool = Field(description="Whether some of the text was not read.", examples=[False])
    windows: int = Field(
        ge=1, description="Windows read of the text: 1 but for `sliding_mean`.", examples=[1]
    )
    empty_input: bool = Field(
        description="Whether the text was blank: the answer is then the model's prior.",
        examples=[False],
    )
    scores: list[Score] = Field(description="The student's `top_k` labels, best first.")


class PredictUsage(BaseModel):
    tokens: int = Field(description="Tokens read, over all texts.", examples=[25])


class Predictions(BaseModel):
    """One answer a text, in the order of `input`."""

    object: Literal["list"] = Field(examples=["list"])
    model: str = Field(
        description="The immutable model that answered.",
        examples=["model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"],
    )
    data: list[Prediction] = Field(description="The answers.")
    usage: PredictUsage = Field(description="What was read.")
