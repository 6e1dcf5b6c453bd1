"""What a job may cost: money, calls and time."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from llkd.specs import Spec

MICROS = 1_000_000


def _positive_money(value: float | None) -> float | None:
    if value is not None and value * MICROS < 1:
        raise PydanticCustomError("budget-required", "a budget has to be more than nothing")
    return value


class BudgetSpec(Spec):
    """What the job may cost."""

    max_usd: Annotated[
        float | None, Field(le=1_000_000, allow_inf_nan=False), AfterValidator(_positive_money)
    ] = Field(default=None, description="Money for teacher calls.", examples=[5.0])
    max_teacher_calls: int | None = Field(
        default=None, ge=1, le=2**53, description="Texts put to the teacher.", examples=[20000]
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
