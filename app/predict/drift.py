"""GET /models/{name}/drift: do a model's answers look like those it was validated with?"""

import math
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from app.auth import TenantDep
from app.predict.endpoints import ServingDep
from app.predict.metrics import Drift
from app.predict.service import resolve
from app.strict_json import StrictRoute
from core.ids import ModelId
from llkd.drift import LEAST_TEXTS, SCORE_BINS, WINDOW

Reading = Literal["stable", "some_shift", "large_shift"]
# By custom: see `population_stability`.
STABLE_BELOW, LARGE_ABOVE = 0.1, 0.25

EXAMPLE_MODEL = "model_01JZ8Q4ZK3V9W2T5R7X1M6N0PD"

router = APIRouter(prefix="/models/{name}/drift", route_class=StrictRoute, tags=["predict"])


class Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoreBin(Told):
    """Answers whose best score lies between two bounds."""

    lower: float = Field(examples=[0.9])
    upper: float = Field(description="1 itself is in the last bin.", examples=[1.0])
    expected: float = Field(
        description="The share of the texts that certify the model.", examples=[0.71]
    )
    count: int = Field(description="Recent texts.", examples=[2988])


class LabelCount(Told):
    """Answers with one label."""

    label: str = Field(examples=["billing"])
    expected: float = Field(
        description="The share of the texts that certify the model.", examples=[0.24]
    )
    count: int = Field(description="Recent texts.", examples=[1190])


class IndexRead(Told):
    """A population stability index: the sum over bins of (observed - expected) times
    ln(observed / expected), which is at least 0."""

    value: float | None = Field(
        description=f"Null with fewer than {LEAST_TEXTS} recent texts: chance alone would pass "
        "the usual bounds.",
        examples=[0.04],
    )
    reading: Reading | None = Field(
        description=f"`stable` below {STABLE_BELOW}, `large_shift` above {LARGE_ABOVE}. A rule of "
        "thumb from credit scoring (Siddiqi, Credit Risk Scorecards, 2006), no test: a shift says "
        "that texts or answers are others than those which certify the model, not that the "
        "answers are worse. Null without a value.",
        examples=["stable"],
    )


class DriftRead(Told):
    """A model's recent answers beside those to the texts that certify it."""

    object: Literal["drift"] = Field(examples=["drift"])
    model_id: str = Field(
        description="The model that the name means now.", examples=[EXAMPLE_MODEL]
    )
    why_none: Literal["not_loaded", "not_certified"] | None = Field(
        description="Why there is nothing to tell. `not_loaded`: the process that answers has not "
        "this model in memory; it counts from the first prediction on. `not_certified`: the model "
        "has no certification texts that the serving engine has answered. Null where it is "
        "watched.",
        examples=[None],
    )
    texts: int = Field(
        description="Recent texts that were answered by the process that answers this: of several "
        f"processes each knows its own. They are the last {WINDOW // 2} to {WINDOW}, or fewer at "
        "first, and begin anew when the model has left memory.",
        examples=[4200],
    )
    scores: IndexRead | None = Field(description="Of the best scores; null with `why_none`.")
    labels: IndexRead | None = Field(description="Of the labels' shares; null with `why_none`.")
    score_bins: list[ScoreBin] = Field(description="What `scores` is of, in order.")
    label_counts: list[LabelCount] = Field(
        description="What `labels` is of, in the order of the model's labels."
    )


@router.get("", response_model=DriftRead)
async def read_drift(
    name: Annotated[str, Path(description="Id, name, or `name@alias`.", examples=["tickets"])],
    tenant: TenantDep,
    serving: ServingDep,
) -> DriftRead:
    """Whether what the model answers in this process looks like what it answered when it was
    certified; `/metrics` has the same figures. Nothing is loaded for it."""
    model = await resolve(serving, tenant=tenant, reference=name)
    found = serving.registry.drift(model)
    if found is None:
        return _nothing(model.id, "not_loaded")
    labels, drift = found
    return _nothing(model.id, "not_certified") if drift is None else _tell(model.id, labels, drift)


def _nothing(model_id: ModelId, why: Literal["not_loaded", "not_certified"]) -> DriftRead:
    return DriftRead(
        object="drift",
        model_id=model_id,
        why_none=why,
        texts=0,
        scores=None,
        labels=None,
        score_bins=[],
        label_counts=[],
    )


def _tell(model_id: ModelId, labels: Sequence[str], drift: Drift) -> DriftRead:
    reference, recent = drift.reference, drift.recent
    return DriftRead(
        object="drift",
        model_id=model_id,
        why_none=None,
        texts=recent.texts,
        scores=_index(drift.score_index),
        labels=_index(drift.label_index),
        score_bins=[
            ScoreBin(
                lower=place / SCORE_BINS,
                upper=(place + 1) / SCORE_BINS,
                expected=float(reference.scores[place]),
                count=int(recent.scores[place]),
            )
            for place in range(SCORE_BINS)
        ],
        label_counts=[
            LabelCount(
                label=label,
                expected=float(reference.labels[place]),
                count=int(recent.labels[place]),
            )
            for place, label in enumerate(labels)
        ],
    )


def _index(value: float) -> IndexRead:
    if math.isnan(value):
        return IndexRead(value=None, reading=None)
    reading: Reading = "some_shift"
    if value < STABLE_BELOW:
        reading = "stable"
    elif value > LARGE_ABOVE:
        reading = "large_shift"
    return IndexRead(value=value, reading=reading)
