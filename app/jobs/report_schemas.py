"""How a report is told."""

from typing import Literal

from pydantic import Field

from app.jobs.calibration_schemas import CalibrationReport
from app.jobs.cascade_schemas import CascadeReport, WhyNoCascade
from app.jobs.cost import CostReport
from app.jobs.disagreements import DisagreementsReport
from app.jobs.evaluation_schemas import EvaluationRead, StudentEvaluation
from app.jobs.pilot import ForecastScore
from app.jobs.schemas import EXAMPLE_JOB, EXAMPLE_MODEL, TeacherCounts, Told
from app.jobs.training_report_schemas import (
    CandidateReport,
    DataPoint,
    SelectionReport,
    TrainingReport,
)


class Agreement(Told):
    """On which share of the texts the student says what the teacher said."""

    value: float = Field(ge=0, le=1, examples=[0.91])
    rows: int = Field(description="Texts that both answered.", examples=[500])


class ConfidenceReport(Told):
    """Where the confidences of the pseudo-labels come from, and what they are worth."""

    source: str = Field(description="Of the teacher's own.", examples=["provided"])
    used: Literal["given", "estimated", "both", "none"] = Field(
        description="Which ones the selection read: of both, the mean; with none, every sample "
        "passes its teacher gate.",
        examples=["given"],
    )
    known: int | None = Field(description="Texts whose own one is known.", examples=[3000])
    unknown: int | None = Field(
        description="Texts whose own one is not. Null, as `tied`, for jobs that were labelled "
        "before it was told.",
        examples=[0],
    )
    unknown_as: Literal["estimated", "certain", "all"] | None = Field(
        description="What was done about those. `estimated`: the cheap model's stands in. "
        "`certain`: they pass the teacher gate, with the weight of a sure one. `all`: no "
        "confidence is read, known or not, and `llkd` trains on all texts. Null where none is "
        "unknown.",
        examples=[None],
    )
    distinct: int | None = Field(description="Different values among the known.", examples=[11])
    tied: float | None = Field(
        description="The share of the known that another text has, too.", examples=[0.97]
    )
    skill: float | None = Field(
        description="How much better than the most frequent label a cheap model, which never saw "
        "a text, guesses its pseudo-label: 1 always right, 0 no better. Null if not estimated.",
        examples=[0.62],
    )
    agreement: float | None = Field(
        description="Rank correlation, within a class, of the teacher's confidences with the "
        "estimated ones. Null if one of them is missing, or the teacher's are all the same.",
        examples=[0.31],
    )


class PriorReport(Told):
    """Whether the answers were corrected for how often each label occurs."""

    used: Literal["given", "estimated"] = Field(
        description="`estimated`: the pool's answers told how often, and each was corrected.",
        examples=["estimated"],
    )
    reference: list[float] | None = Field(
        description="How often the teacher expects each label, in their order.",
        examples=[[0.5, 0.5]],
    )
    estimated: list[float] | None = Field(
        description="How often each occurs, as far as the answers tell.", examples=[[0.8, 0.2]]
    )
    changed: int = Field(
        description="Texts to train on that got another label by it.", examples=[310]
    )


class BuyingRound(Told):
    """What was known after a round of lazy labelling."""

    asked: int = Field(description="Texts put to the teacher so far.", examples=[125])
    answered: int = Field(description="Those that got a label.", examples=[124])
    audited: int = Field(description="Those among them that were chosen by lot.", examples=[103])
    agreement: float | None = Field(
        description="On which share of the audited texts a cheap student, fitted without them, "
        "says what the teacher says; null while it cannot be fitted.",
        examples=[0.71],
    )


class BuyingReport(Told):
    """How lazy labelling went."""

    texts: int = Field(description="That could have been asked about.", examples=[8200])
    rounds: list[BuyingRound] = Field(description="In order.")
    ended: Literal["budget", "time", "not_worth_it", "all_asked"] = Field(
        description="Why no more was asked. `not_worth_it`: even one standard error above the "
        "line through the rounds, a doubling of the answers brings less than a hundredth of "
        "agreement.",
        examples=["not_worth_it"],
    )


class TeacherReport(Told):
    kind: str = Field(description="As in the request.", examples=["few_shot"])
    answers: TeacherCounts = Field(description="What became of the texts put to it.")
    confidence: ConfidenceReport = Field(description="How sure it was.")
    calibration: CalibrationReport | None = Field(
        description="What was done to make the confidences truer. Null for jobs that were labelled "
        "before there was a calibration."
    )
    prior: PriorReport | None = Field(
        description="Null for jobs that were labelled before there was a correction."
    )
    buying: BuyingReport | None = Field(description="Null where every text was asked about.")
    evaluation: EvaluationRead | None = Field(
        description="Against gold, on the texts that it was asked about; null without any."
    )


class StudentReport(Told):
    evaluation: StudentEvaluation | None = Field(
        description="Against the same gold; null without any."
    )
    held_out_agreement: Agreement | None = Field(
        description="With the teacher, on confident pseudo-labels kept from training. They "
        "decided when training stopped, so this is a hopeful figure; null without such a slice."
    )


class CorrectionsReport(Told):
    """A person's labels among those that the student learned from, each with the confidence 1.

    They count neither among the teacher's answers nor among its confidences, and no figure of
    agreement with the teacher and no certificate rests on them.
    """

    rows: int = Field(
        description="Texts with one, those given with earlier jobs included.", examples=[40]
    )
    given: int = Field(description="Those given with this job.", examples=[12])
    changed: int = Field(
        description="Of these, the ones that had another label before, or none.", examples=[9]
    )


class ParityReport(Told):
    """How far the served model's answers lie from the trained one's."""

    rows: int = Field(description="Texts compared.", examples=[64])
    max_difference: float = Field(
        description="Largest gap of two probabilities.", examples=[0.000002]
    )
    argmax_agreement: float = Field(
        description="The share of texts with the same label.", examples=[1.0]
    )


class CertifiedReport(Told):
    """What certified the model, without the curve that `cascade` has."""

    rows: int = Field(description="As in `cascade`.", examples=[1000])
    source: Literal["certification", "evaluation"] = Field(
        description="As in `cascade`.", examples=["certification"]
    )
    temperature: float = Field(description="As in `cascade`.", examples=[1.31])
    ece_before: float = Field(description="As in `cascade`.", examples=[0.082])
    ece_after: float = Field(description="As in `cascade`.", examples=[0.021])


class ExportDetails(Told):
    parity: ParityReport = Field(description="Measured in a process of its own, without torch.")
    files: dict[str, int] = Field(
        description="Bytes by name of file.", examples=[{"model.onnx": 90_771_837}]
    )
    certification: CertifiedReport | None = Field(
        description="Null where nothing certifies it, and for models of releases that knew none."
    )


class ExportReport(Told):
    model_id: str = Field(examples=[EXAMPLE_MODEL])
    version: int = Field(examples=[3])
    size_bytes: int = Field(examples=[91_000_000])
    details: ExportDetails = Field(description="How it was made.")


class ReportRead(Told):
    """Everything measured about a job."""

    object: Literal["report"] = Field(examples=["report"])
    job_id: str = Field(examples=[EXAMPLE_JOB])
    gold_rows: int = Field(description="Texts with gold that measured.", examples=[1000])
    gold_source: str | None = Field(
        description="`evaluation_dataset`, or `dataset`: gold rows kept from training.",
        examples=["evaluation_dataset"],
    )
    teacher: TeacherReport = Field(description="Whom the student learned from.")
    student: StudentReport = Field(description="What came of it.")
    corrections: CorrectionsReport | None = Field(
        description="Null where every label is the teacher's."
    )
    training: TrainingReport = Field(description="What it took.")
    selection: SelectionReport = Field(description="What was worth a step.")
    candidates: list[CandidateReport] | None = Field(
        description="All that were trained, in order, where `auto` or a choice of students was "
        "asked for; null for one."
    )
    cascade: CascadeReport | None = Field(
        description="What the student could answer in the teacher's place; null where nothing "
        "certifies it."
    )
    no_cascade: WhyNoCascade | None = Field(
        description="Why `cascade` is null. `not_exported`: the model is not registered yet. "
        "`no_texts`: the request asked for no certification, and no text that measures has a "
        "teacher's answer. `too_few_texts`: fewer than 40 that neither the student nor a parent of "
        "it learned from. `parent_texts_unknown`: the dataset of a parent was deleted, so nobody "
        "can tell what that learned from. `not_made`: by a release that knew none.",
        examples=[None],
    )
    export: ExportReport | None = Field(description="Null until the model is registered.")
    data_efficiency: list[DataPoint] | None = Field(
        description="The student's held-out score by what it had learned from, at every look, in "
        "order; empty where nobody looked. Its own training only: another selection's curve is in "
        "that one's report, and both in `GET /jobs/compare`. Null for jobs that were trained "
        "before it was kept."
    )
    disagreements: DisagreementsReport | None = Field(
        description="Null where nothing was compared, and for jobs that were measured before it "
        "was kept."
    )
    cost: CostReport = Field(description="A million texts by each of the two.")
    forecast: ForecastScore | None = Field(
        description="The forecast that a pilot made for this job; null without one, or without "
        "gold labels."
    )
