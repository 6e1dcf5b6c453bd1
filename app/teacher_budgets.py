"""Which caps a teacher needs before it may be asked: more than nothing, and such as can be kept."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from core.errors import ErrorItem, ValidationFailed
from core.prices import MICROS
from llkd.specs import TokenPrices


class BudgetRequired(ValidationFailed):
    """A budget has to be more than nothing; a paid teacher cannot be asked without one."""

    code = "budget-required"
    title = "A budget is required"


class PriceUnknown(ValidationFailed):
    """A budget in dollars needs a teacher whose tokens have a price.

    It is the job's or the stored teacher's `prices`, else the operator's price table's; only
    servers of the operator's own network cost nothing unless somebody says so.
    """

    code = "price-unknown"
    title = "The teacher's price is not known"


def _positive_money(value: float | None) -> float | None:
    if value is not None and value * MICROS < 1:
        raise PydanticCustomError("budget-required", "a budget has to be more than nothing")
    return value


MaxUsd = Annotated[
    float | None, Field(le=1_000_000, allow_inf_nan=False), AfterValidator(_positive_money)
]
MaxTeacherCalls = Annotated[int | None, Field(ge=1, le=2**53)]


def check_caps(
    priced: Sequence[TokenPrices | None],
    *,
    max_usd: float | None,
    max_teacher_calls: int | None,
    at: str,
) -> None:
    """Whether teachers behind a wire can be asked within these caps, and stopped by them.

    Args:
        priced: what each one's tokens cost; None where nobody has told.
        at: JSON pointer to the object that has the caps.

    Raises:
        PriceUnknown: the cap is in dollars, and nobody has told what an answer costs.
        BudgetRequired: answers cost something, or may, and nothing limits them.
    """
    if None in priced and max_usd is not None:
        message = (
            "Nobody has told what this teacher's tokens cost, so that no budget in dollars can be "
            "kept: give `prices`, or `max_teacher_calls` without `max_usd`."
        )
        raise PriceUnknown(message, errors=[_at(f"{at}/max_usd", PriceUnknown.code, message)])
    if None in priced and max_teacher_calls is None:
        message = "This teacher's answers may cost money: `max_teacher_calls` is required."
        raise BudgetRequired(
            message, errors=[_at(f"{at}/max_teacher_calls", BudgetRequired.code, message)]
        )
    is_limited = max_usd is not None or max_teacher_calls is not None
    if any(map(_costs, priced)) and not is_limited:
        message = "This teacher's answers cost money: `max_usd` or `max_teacher_calls` is required."
        raise BudgetRequired(message, errors=[_at(at, BudgetRequired.code, message)])


def _costs(prices: TokenPrices | None) -> bool:
    return prices is not None and (
        prices.input_usd_per_million > 0 or prices.output_usd_per_million > 0
    )


def _at(pointer: str, code: str, message: str) -> ErrorItem:
    return ErrorItem(pointer, code, message)
