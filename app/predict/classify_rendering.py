"""Answers as JSON, in vLLM's shape."""

import time

import orjson

from app.predict.answered import Answered


def render_classification(answered: Answered, *, request_id: str) -> bytes:
    """The JSON of `app.predict.classify_schemas.Classification`."""
    labels = answered.labels
    best = answered.probabilities.argmax(axis=1).tolist()
    tokens = answered.reading.tokens
    return orjson.dumps(
        {
            "id": f"classify-{request_id}",
            "object": "list",
            "created": int(time.time()),
            "model": answered.model.id,
            "data": [
                {
                    "index": index,
                    "label": labels[best[index]],
                    "probs": probabilities,
                    "num_classes": len(labels),
                }
                for index, probabilities in enumerate(answered.probabilities.tolist())
            ],
            "usage": {
                "prompt_tokens": tokens,
                "total_tokens": tokens,
                "completion_tokens": 0,
                "prompt_tokens_details": None,
            },
        }
    )
