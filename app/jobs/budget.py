"""What a job may cost: money, calls and time."""

from pydantic import Field

from app.teacher_budgets import MaxTeacherCalls, MaxUsd
from llkd.specs import Spec


class BudgetSpec(Spec):
    """What the job may cost."""

    max_usd: MaxUsd = Field(default=None, description="Money for teacher calls.", examples=[5.0])
    max_teacher_calls: MaxTeacherCalls = Field(
        default=None, description="Texts put to the teacher.", examples=[20000]
    )
    max_wall_seconds: int = Field(
        default=86_400,
        ge=1,
        le=30 * 86_400,
        description="Time from the first start to the end, all waiting included. When three "
        "quarters of it have passed, no more texts are put to the teacher, and the job learns "
        "from what it has. When all of it has passed, an unfinished job fails.",
        examples=[7200],
    )
