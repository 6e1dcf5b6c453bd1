"""A typed client of the LLKD service: `Client`, `AsyncClient`, and what they tell and raise.

Names are imported when they are first used, so that the command line starts quickly.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from llkd_client.client import AsyncClient, Client
    from llkd_client.distilled import AsyncDistilledModel, DistilledModel
    from llkd_client.errors import (
        BadAddress,
        BadName,
        Conflict,
        ConnectionFailed,
        Fault,
        InvalidRequest,
        LlkdError,
        NotFound,
        Overloaded,
        Problem,
        Refused,
        ServerError,
        Unauthorized,
        UnexpectedAnswer,
    )
    from llkd_client.operations import RetryPolicy
    from llkd_client.progress import Lines, Progress, Silence, TerminalBar
    from llkd_client.shapes.datasets import Dataset
    from llkd_client.shapes.endings import JobFailed, WaitedTooLong
    from llkd_client.shapes.jobs import Estimate, Event, Job, Label
    from llkd_client.shapes.models import Model, Prediction, PredictionJob, Predictions
    from llkd_client.shapes.reports import Report
    from llkd_client.shapes.teachers import Teacher

_HOMES = {
    "client": ["AsyncClient", "Client"],
    "distilled": ["AsyncDistilledModel", "DistilledModel"],
    "errors": [
        "BadAddress",
        "BadName",
        "Conflict",
        "ConnectionFailed",
        "Fault",
        "InvalidRequest",
        "LlkdError",
        "NotFound",
        "Overloaded",
        "Problem",
        "Refused",
        "ServerError",
        "Unauthorized",
        "UnexpectedAnswer",
    ],
    "operations": ["RetryPolicy"],
    "progress": ["Lines", "Progress", "Silence", "TerminalBar"],
    "shapes.datasets": ["Dataset"],
    "shapes.endings": ["JobFailed", "WaitedTooLong"],
    "shapes.jobs": ["Estimate", "Event", "Job", "Label"],
    "shapes.models": ["Model", "Prediction", "PredictionJob", "Predictions"],
    "shapes.reports": ["Report"],
    "shapes.teachers": ["Teacher"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "AsyncClient",
    "AsyncDistilledModel",
    "BadAddress",
    "BadName",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "Dataset",
    "DistilledModel",
    "Estimate",
    "Event",
    "Fault",
    "InvalidRequest",
    "Job",
    "JobFailed",
    "Label",
    "Lines",
    "LlkdError",
    "Model",
    "NotFound",
    "Overloaded",
    "Prediction",
    "PredictionJob",
    "Predictions",
    "Problem",
    "Progress",
    "Refused",
    "Report",
    "RetryPolicy",
    "ServerError",
    "Silence",
    "Teacher",
    "TerminalBar",
    "Unauthorized",
    "UnexpectedAnswer",
    "WaitedTooLong",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
