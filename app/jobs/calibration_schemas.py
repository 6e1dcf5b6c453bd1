"""How the calibration of a teacher's confidence is told in a report."""

from typing import Any, Literal

from pydantic import Field

from app.jobs.schemas import Told

Json = dict[str, Any]
EXAMPLE_ID = "3f9a1c07be52"


class ReliabilityBinRead(Told):
    """Answers whose confidence is above `lower` and up to `upper`."""

    lower: float = Field(description="From 0 on; 0 itself is in the first.", examples=[0.8])
    upper: float = Field(description="Up to 1.", examples=[0.9])
    count: int = Field(description="Answers.", examples=[120])
    confidence: float | None = Field(
        description="Their mean confidence; null without any.", examples=[0.86]
    )
    accuracy: float | None = Field(
        description="The share of them that is right; null without any.", examples=[0.71]
    )


class ConfidenceFiguresRead(Told):
    """What the confidences are worth on answers whose gold label is known."""

    rows: int = Field(description="Answers with gold and a known confidence.", examples=[935])
    accuracy: float = Field(description="The share of right labels.", examples=[0.7])
    ece: float = Field(
        description="Expected calibration error over `reliability`: by how much a confidence "
        "misses the share of right labels, on average.",
        examples=[0.06],
    )
    brier: float = Field(
        description="Mean squared gap of the confidence and 1 (right) or 0 (wrong).",
        examples=[0.19],
    )
    log_loss: float = Field(
        description="Mean surprise, in nats, at whether a label is right: what decides whether a "
        "calibration is kept.",
        examples=[0.54],
    )
    auroc: float | None = Field(
        description="Chance that a right answer has the higher confidence than a wrong one, ties "
        "counted half; 0.5 tells nothing. Null when all are right, or all wrong.",
        examples=[0.71],
    )
    auroc_within: float | None = Field(
        description="The same for a right and a wrong answer of one label, which is all that "
        "thresholds by class can use. Null where no label has both.",
        examples=[0.71],
    )
    tied: float = Field(
        description="The share of answers whose confidence another one has, too: they have no "
        "order among them.",
        examples=[0.04],
    )
    reliability: list[ReliabilityBinRead] = Field(description="Ten bins of equal width.")


class CalibrationGold(Told):
    """Gold that took part."""

    rows: int = Field(description="Answers with gold, chosen by lot.", examples=[935])
    which: Literal["trained_on", "measuring"] = Field(
        description="`trained_on`: of texts that are trained on and measure nothing. `measuring`: "
        "of the texts that measure teacher and student. They fit only what was asked for by name, "
        "for want of enough others; each of them was then calibrated by a fit that left it out, so "
        "that the teacher's figures are fair; the student has read confidences that owe a few "
        "numbers to that gold.",
        examples=["trained_on"],
    )


class CalibrationTrial(Told):
    """One calibration that was tried."""

    method: Literal["temperature", "isotonic", "contextual"] = Field(examples=["temperature"])
    log_loss: float = Field(description="As in `after`, which it competes for.", examples=[0.54])
    ece: float = Field(description="As in `after`.", examples=[0.06])
    accuracy: float = Field(description="As in `after`.", examples=[0.7])


class CalibrationReport(Told):
    """What was done to make the teacher's confidences truer, and what came of it.

    All figures are before any correction for how often each label occurs.
    """

    asked: Literal["auto", "none", "temperature", "isotonic", "contextual"] = Field(
        description="As in the request.", examples=["auto"]
    )
    method: Literal["none", "temperature", "isotonic", "contextual"] = Field(
        description="What was done.", examples=["temperature"]
    )
    id: str | None = Field(
        description="Follows from method and parameters; stands beside every label whose "
        "confidence it changed. Null for `none`.",
        examples=[EXAMPLE_ID],
    )
    parameters: Json = Field(
        description="`temperature`: p(k)^(1/T), normalized. `given`, `right`: a line from given to "
        "calibrated confidences. `content_free`: what the teacher says to nothing.",
        examples=[{"temperature": 2.61}],
    )
    reason: Literal[
        "improved",
        "unchecked",
        "not_wanted",
        "no_confidence",
        "no_probabilities",
        "no_content_free_answers",
        "too_little_gold",
        "no_gain",
    ] = Field(
        description="`improved`: the log-loss fell on gold, and no fewer labels are right. "
        "`unchecked`: contextual, and too little gold to say. Else nothing was done: "
        "`not_wanted`; `no_confidence` or `no_probabilities` are known; the teacher gave "
        "`no_content_free_answers`; `too_little_gold`; `no_gain` in what was tried.",
        examples=["improved"],
    )
    fitted_on: CalibrationGold | None = Field(
        description="Gold that the parameters were fitted on; null where none was."
    )
    measured_on: CalibrationGold | None = Field(
        description="Gold of all figures here. Where something was fitted, each answer was "
        "changed by a fit on the other four fifths, and AUROC and ties, before and after, compare "
        "answers of one fifth. Null with fewer than 50 of such answers."
    )
    folds: list[str] = Field(
        description="Where `fitted_on` measures, the ids of the five fits that its rows carry; "
        "else empty.",
        examples=[["0b5d3e91c6aa", "77c1a2f0d94e"]],
    )
    before: ConfidenceFiguresRead | None = Field(description="As the teacher gave them.")
    after: ConfidenceFiguresRead | None = Field(
        description="Calibrated, out of fold; null where nothing was done, or not checked."
    )
    tried: list[CalibrationTrial] = Field(description="On gold, whether kept or not.")
    changed: int = Field(
        description="Texts to train on that got another label by it; only contextual does so.",
        examples=[0],
    )
