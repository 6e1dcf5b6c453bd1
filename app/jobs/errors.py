"""What the jobs' endpoints refuse."""

from core.errors import ServiceError, ValidationFailed


class JobNotCancellable(ServiceError):
    """The job has ended by itself; its end is for ever."""

    status = 409
    code = "job-not-cancellable"
    title = "The job can no longer be cancelled"

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"Job {job_id} has {state} and can no longer be cancelled.")


class JobNotRetryable(ServiceError):
    """A distillation that failed or was cancelled can be tried again, and no other job."""

    status = 409
    code = "job-not-retryable"
    title = "The job cannot be tried again"


class LabelsNotReady(ServiceError):
    """The pseudo-labels exist once the label stage is done."""

    status = 409
    code = "labels-not-ready"
    title = "The labels are not ready"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The label stage of {job_id} is not done.")


class TrainingNotBegun(ServiceError):
    """A training's curve and map exist from its first batch on."""

    status = 409
    code = "training-not-begun"
    title = "The training has not begun"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The train stage of {job_id} has not begun.")


class ReportNotReady(ServiceError):
    """The report exists once the evaluate stage is done."""

    status = 409
    code = "report-not-ready"
    title = "The report is not ready"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The evaluate stage of {job_id} is not done.")


class AuditNotReady(ServiceError):
    """The audit exists once the evaluate stage is done."""

    status = 409
    code = "audit-not-ready"
    title = "The audit is not ready"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The evaluate stage of {job_id} is not done.")


class ForecastNotReady(ServiceError):
    """A pilot's forecast exists once its forecast stage is done."""

    status = 409
    code = "forecast-not-ready"
    title = "The forecast is not ready"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"The forecast stage of {job_id} is not done.")


class PredictionsNotReady(ServiceError):
    """The file exists once its prediction job has succeeded."""

    status = 409
    code = "predictions-not-ready"
    title = "The predictions are not ready"

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Prediction job {job_id} is not done.")


class NoResult(ServiceError):
    """The job does not have what was asked for and never will: asking again is of no use.

    It is a job of another kind, or it ended before the stage that makes this.
    """

    status = 409
    code = "no-result"
    title = "The job has no such result"


class TooManyJobs(ServiceError):
    """This tenant has as many unfinished jobs as the operator allows (LLKD_MAX_QUEUED_JOBS)."""

    status = 429
    code = "too-many-jobs"
    title = "Too many jobs"

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} jobs are queued or running already.", headers={"Retry-After": "60"}
        )


class TooManyStreams(ServiceError):
    """Every place for an event stream is taken; poll the job, or try again soon."""

    status = 503
    code = "too-many-streams"
    title = "Too many event streams"

    def __init__(self, count: int) -> None:
        super().__init__(
            f"{count} event streams are open already; poll the events as JSON instead.",
            headers={"Retry-After": "10"},
        )


class ModelNotAllowed(ValidationFailed):
    """A base model is `minilm`, `local/NAME`, or a hub id with the commit to take.

    The operator may allow fewer (LLKD_ALLOWED_MODELS). A model needs safetensors weights
    and may bring no code of its own.
    """

    code = "model-not-allowed"
    title = "The base model is not allowed"


class ResourceLimit(ValidationFailed):
    """The job would take more training steps than any job may (2,000,000)."""

    code = "resource-limit"
    title = "The job is too large"


class DuplicateLabel(ValidationFailed):
    """Two labels are the same one to a reader: they differ in case, width or spaces alone."""

    code = "duplicate-label"
    title = "Two labels cannot be told apart"
