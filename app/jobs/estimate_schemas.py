"""What `POST /jobs/estimate` answers."""

from typing import Literal

from pydantic import Field

from app.jobs.pilot import PilotRead
from app.jobs.schemas import Told


class Range(Told):
    """A figure that cannot be known before: what is expected, and an interval around it."""

    low: int = Field(examples=[0])
    expected: int = Field(examples=[20000])
    high: int = Field(examples=[20000])


class Cost(Told):
    """Money for teacher calls, in US dollars."""

    low: float = Field(examples=[1.31])
    expected: float = Field(examples=[1.84])
    high: float = Field(description="Capped by `budget.max_usd`.", examples=[4.2])


class Seconds(Told):
    """Time from start to end, on the workers that made the jobs it is based on."""

    low: int = Field(examples=[240])
    high: int = Field(examples=[410])
    basis: str = Field(
        description="What the figure rests on.", examples=["2 finished jobs of 4000 to 20000 texts"]
    )


class EstimateRead(Told):
    """What the job would take if it were queued now."""

    object: Literal["estimate"] = Field(examples=["estimate"])
    rows: int = Field(
        description="Different texts to learn from, those that certify left out.", examples=[20000]
    )
    evaluation_rows: int = Field(
        description="Texts with gold in the evaluation dataset.", examples=[500]
    )
    sample_texts: int = Field(
        description="Texts that the figures below rest on, drawn by lot.", examples=[400]
    )
    teacher_calls: Range = Field(
        description="Questions to be bought: texts without a stored answer, each as often as there "
        "are teachers, within `budget.max_teacher_calls`. Low is 0 for a local teacher, whose "
        "answers are known only once it is loaded."
    )
    cached: Range | None = Field(
        description="Questions whose answer is stored, which cost nothing: Wilson's 95 % interval "
        "from the sample. Null where no teacher is a server."
    )
    tokens: Range = Field(
        description="Tokens that the teachers read: the job's own prompts with the sampled texts. "
        "Expected: 4 bytes a token in ASCII and 3 in other scripts; low: 5 and 4.5; high: 3 and "
        "1.5; low and high widened by the sample's 95 % interval."
    )
    cost_usd: Cost | None = Field(
        description="Of `tokens` and of 1, 4 or 32 tokens an answer; a model that thinks before it "
        "answers writes more. Null where nobody has told a teacher's prices; 0 for a local one."
    )
    limit_seconds: Range | None = Field(
        description="What the servers' limits on requests and tokens a minute make labelling last "
        "at the least. Null where no server has any."
    )
    seconds: Seconds | None = Field(
        description="Null until a job with this student and teacher has finished here."
    )
    steps: Range = Field(
        description="Optimizer steps. Low: a selection that asks the student has nothing left "
        "after one pass; high: every text is trained on in every pass."
    )
    pilot: PilotRead | None = Field(description="Null where none was asked for.")
