"""Answers as JSON, in the service's own shape."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from app.predict.answered import Answered
from app.predict.schemas import PredictBody


def render(answered: Answered, body: PredictBody) -> bytes:
    """The JSON of `app.predict.schemas.Predictions`, with the best labels of each text."""
    labels = answered.labels
    probabilities = answered.probabilities
    shown = min(body.top_k or len(labels), len(labels))
    # Stable: labels of equal probability keep the order of the label set.
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :shown]
    scores = np.take_along_axis(probabilities, order, axis=1).tolist()
    reading = answered.reading
    return orjson.dumps(
        {
            "object": "list",
            "model": answered.model.id,
            "data": [
                _prediction(
                    index,
                    [labels[place] for place in places],
                    scores[index],
                    body=body,
                    truncated=reading.truncated[index],
                    windows=reading.windows[index],
                )
                for index, places in enumerate(order.tolist())
            ],
            "usage": {"tokens": reading.tokens},
        }
    )


def _prediction(
    index: int,
    labels: Sequence[str],
    scores: Sequence[float],
    *,
    body: PredictBody,
    truncated: bool,
    windows: int,
) -> dict[str, Any]:
    score = scores[0]
    abstained = body.threshold is not None and score < body.threshold
    return {
        "index": index,
        "label": None if abstained and body.on_low_confidence == "abstain" else labels[0],
        "score": score,
        "abstained": abstained,
        "answered_by": "student",
        "truncated": truncated,
        "windows": windows,
        "empty_input": not body.input[index].strip(),
        "scores": [
            {"label": name, "score": value} for name, value in zip(labels, scores, strict=True)
        ],
    }
