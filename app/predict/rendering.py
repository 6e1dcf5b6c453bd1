"""Answers as JSON, in the service's own shape."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from app.predict.answered import Answered
from app.predict.deferral.outcome import Deferred
from app.predict.schemas import PredictBody


def render(answered: Answered, body: PredictBody, deferred: Mapping[int, Deferred]) -> bytes:
    """The JSON of `app.predict.schemas.Predictions`, with the best labels of each text.

    Args:
        deferred: what the teacher said, by the place of the text.
    """
    labels = answered.labels
    probabilities = answered.probabilities
    shown = min(body.top_k or len(labels), len(labels))
    # Stable: labels of equal probability keep the order of the label set.
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :shown]
    scores = np.take_along_axis(probabilities, order, axis=1).tolist()
    unsure = answered.unsure.tolist()
    reading = answered.reading
    return orjson.dumps(
        {
            "object": "list",
            "model": answered.model.id,
            "data": [
                _prediction(
                    [labels[place] for place in places],
                    scores[index],
                    abstains=body.on_low_confidence == "abstain",
                    is_unsure=unsure[index],
                    teacher=_told(deferred.get(index), labels),
                )
                | {
                    "index": index,
                    "truncated": reading.truncated[index],
                    "windows": reading.windows[index],
                    "empty_input": not body.input[index].strip(),
                }
                for index, places in enumerate(order.tolist())
            ],
            "usage": {"tokens": reading.tokens},
        }
    )


def _prediction(
    labels: Sequence[str],
    scores: Sequence[float],
    *,
    abstains: bool,
    is_unsure: bool,
    teacher: dict[str, Any] | None,
) -> dict[str, Any]:
    """Who says what of one text."""
    return {
        "label": None if is_unsure and abstains else labels[0],
        "score": scores[0],
        "abstained": is_unsure,
        "answered_by": "student",
        "deferral": None,
        "scores": [
            {"label": name, "score": value} for name, value in zip(labels, scores, strict=True)
        ],
    } | (teacher or {})


def _told(deferred: Deferred | None, labels: Sequence[str]) -> dict[str, Any] | None:
    """What the teacher's answer, or its silence, changes of the student's."""
    if deferred is None:
        return None
    if deferred.label is None:
        return {"deferral": deferred.status}
    probabilities = deferred.probabilities
    return {
        "label": labels[deferred.label],
        "score": None if probabilities is None else probabilities[deferred.label],
        "abstained": False,
        "answered_by": "teacher",
        "deferral": deferred.status,
    }
