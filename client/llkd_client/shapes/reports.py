"""A job's report and a pilot's forecast, as far as most ask for it; all else is as it came."""

from llkd_client.shapes.base import Json, Shape
from llkd_client.shapes.jobs import TeacherCounts


class Measured(Shape):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Evaluation(Shape):
    """Against gold labels."""

    rows: int
    accuracy: Measured
    macro_f1: Measured


class StudentEvaluation(Evaluation):
    agreement_with_teacher: float | None = None


class Agreement(Shape):
    value: float
    rows: int


class TeacherReport(Shape):
    kind: str
    answers: TeacherCounts = TeacherCounts()
    evaluation: Evaluation | None = None


class StudentReport(Shape):
    evaluation: StudentEvaluation | None = None
    held_out_agreement: Agreement | None = None


class TrainingReport(Shape):
    """How the student was trained: `pool` texts to choose from, those that it chose, the steps."""

    pool: int
    unique_samples: int
    gradient_samples: int
    steps: int
    epochs: float
    seconds: float
    stop_reason: str | None = None


class SelectionReport(Shape):
    kind: str
    seen: int
    kept: int
    kept_fraction: float


class DataPoint(Shape):
    """How good the student was, and what it had learned from by then."""

    step: int
    gradient_samples: int
    unique_samples: int
    held_out_score: float


class Disagreements(Shape):
    """How often teacher and student differ, of `rows` texts."""

    source: str
    dataset_id: str
    rows: int
    total: int


class TeacherCost(Shape):
    answers: int
    usd: float | None = None
    seconds: float | None = None


class StudentCost(Shape):
    core_seconds: float | None = None
    basis: str | None = None
    engine: str | None = None
    processor: str | None = None


class CostReport(Shape):
    """What `texts` texts take by each of the two."""

    texts: int
    teacher: TeacherCost
    student: StudentCost


class Corrections(Shape):
    """A person's labels among those that the student learned from."""

    rows: int
    given: int
    changed: int


class Report(Shape):
    job_id: str
    gold_rows: int = 0
    teacher: TeacherReport
    student: StudentReport
    training: TrainingReport
    selection: SelectionReport | None = None
    corrections: Corrections | None = None
    data_efficiency: list[DataPoint] | None = None
    disagreements: Disagreements | None = None
    cost: CostReport | None = None
    export: Json | None = None

    @property
    def agreement(self) -> float | None:
        """How often the student says what the teacher says, on the best texts there are."""
        evaluation, held_out = self.student.evaluation, self.student.held_out_agreement
        if evaluation is not None and evaluation.agreement_with_teacher is not None:
            return evaluation.agreement_with_teacher
        return None if held_out is None else held_out.value


class ForecastPoint(Measured):
    """The macro-F1 that so many of the teacher's answers are expected to lead to."""

    answers: int


class Forecast(Shape):
    """Macro-F1 by the number of answers, against `gold` or, without enough of it, `teacher`."""

    against: str
    measured_on: int
    points: list[ForecastPoint]


class TrainingPoint(Shape):
    step: int
    epoch: int
    seconds: float
    loss: float | None = None
    selected_fraction: float | None = None
    held_out_score: float | None = None
    thresholds: Json = {}


class TrainingHistory(Shape):
    """A student's training, sampled down to as many points as were asked for."""

    job_id: str
    labels: list[str] = []
    candidate: int = 0
    candidates: int = 1
    ended: bool
    points: list[TrainingPoint]


class SelectionMap(Shape):
    """Sampled texts by the teacher's confidence and the student's uncertainty, at one step."""

    job_id: str
    labels: list[str] = []
    candidate: int = 0
    candidates: int = 1
    ended: bool
    frames: list[Json]
    frame: Json | None = None
