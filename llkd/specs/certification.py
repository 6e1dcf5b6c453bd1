"""How many texts certify what a student may answer itself."""

from pydantic import Field

from llkd.specs.base import Spec

FEWEST_ROWS = 100
MOST_ROWS = 20_000


class CertificationSpec(Spec):
    """Texts that the teacher answers and the student does not learn from."""

    rows: int = Field(
        ge=FEWEST_ROWS,
        le=MOST_ROWS,
        description="Rows drawn by lot from those that would be trained on. They cost teacher "
        "calls, are neither trained on nor looked at, and tell at the end on which texts the "
        "student says what the teacher says.",
        examples=[1000],
    )
