"""What a model brings along to certify thresholds with: certification.json.

It holds no texts: of each certification text the label that the served model gave, the score,
and whether the teacher said the same. Another engine answers slightly differently, so there
is one account for each.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from llkd.threshold_path import Observed
from llkd.types import IntArray

CERTIFICATION = "certification.json"
FORMAT_VERSION = 1
# `certification`: texts drawn for it alone. `evaluation`: those with gold that measure.
Source = Literal["certification", "evaluation"]
# Fewer can certify nothing that is worth telling: a half of them without a single
# disagreement shows an agreement of 0.86.
FEWEST_TEXTS = 40
# More make a model larger and its bounds hardly closer.
MOST_TEXTS = 20_000


@dataclass(frozen=True)
class CertificationTexts:
    """N texts that the student did not learn from, with the teacher's answers.

    Attributes:
        labels: [N], the teacher's, in 0..K-1.
        source: where they come from.
    """

    texts: Sequence[str]
    labels: IntArray
    source: Source


@dataclass(frozen=True)
class Halves:
    """The two parts of the texts, as one engine answers them.

    Attributes:
        shaping: those that fitted the temperature and lay out paths of thresholds.
        certifying: those that had no say in either.
    """

    shaping: Observed
    certifying: Observed


@dataclass(frozen=True)
class Certification:
    """What certifies a model's thresholds.

    Attributes:
        labels: the K class names, in the order of the outputs.
        source: where the texts come from.
        temperature: what the logits were divided by; the manifest has the same.
        engines: by the engine's name.
    """

    labels: tuple[str, ...]
    source: Source
    temperature: float
    engines: Mapping[str, Halves]


def write_certification(certification: Certification, path: Path) -> None:
    """Write certification.json: the same bytes for the same answers."""
    content = {
        "format_version": FORMAT_VERSION,
        "labels": certification.labels,
        "source": certification.source,
        "temperature": certification.temperature,
        "engines": {
            name: {"shaping": _told(halves.shaping), "certifying": _told(halves.certifying)}
            for name, halves in certification.engines.items()
        },
    }
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    path.write_text(text + "\n", encoding="utf-8")


def read_certification(path: Path) -> Certification:
    """Read certification.json.

    Raises:
        ValueError: not JSON, of another format version, or with a field missing or off.
    """
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict) or content.get("format_version") != FORMAT_VERSION:
        raise ValueError(f"{CERTIFICATION} is not of format version {FORMAT_VERSION}")
    try:
        labels = tuple(map(str, content["labels"]))
        return Certification(
            labels=labels,
            source=content["source"],
            temperature=float(content["temperature"]),
            engines={
                str(name): Halves(
                    _observed(halves["shaping"], class_count=len(labels)),
                    _observed(halves["certifying"], class_count=len(labels)),
                )
                for name, halves in content["engines"].items()
            },
        )
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{CERTIFICATION} makes no sense: {error!r}") from error


def _told(observed: Observed) -> dict[str, list[Any]]:
    return {
        "predicted": observed.predicted.tolist(),
        "score": observed.score.tolist(),
        "agrees": observed.agrees.astype(int).tolist(),
    }


def _observed(told: Mapping[str, Any], *, class_count: int) -> Observed:
    observed = Observed(
        np.array(told["predicted"], dtype=np.int64),
        np.array(told["score"], dtype=np.float64),
        np.array(told["agrees"], dtype=np.bool_),
    )
    is_label = (observed.predicted >= 0) & (observed.predicted < class_count)
    is_score = (observed.score >= 0) & (observed.score <= 1)
    if not (is_label & is_score).all():
        raise ValueError(f"{CERTIFICATION} has a label or a score that cannot be one")
    return observed
