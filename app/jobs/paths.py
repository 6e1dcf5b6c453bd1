"""The job that an address names."""

from typing import Annotated

from fastapi import Path

from app.jobs.schemas import EXAMPLE_JOB

JobIdPath = Annotated[str, Path(description="Id of the job.", examples=[EXAMPLE_JOB])]
