"""What certifies a job's model, and how that is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from core.lifecycle import Stage
from llkd.cascade_curve import cascade_curve
from llkd.certification import FEWEST_TEXTS, CertificationTexts
from llkd.certifying import Certified
from llkd.engines.base import REFERENCE
from worker.ancestry import learned_before
from worker.job import Job
from worker.pool import load_certification
from worker.protocol import Json

WhyNone = Literal["no_texts", "too_few_texts", "parent_texts_unknown"]


@dataclass(frozen=True)
class FoundTexts:
    """The texts that certify, or why there are none."""

    texts: CertificationTexts | None
    why_none: WhyNone | None


def find_texts(job: Job, outputs: Mapping[Stage, Json]) -> FoundTexts:
    """As many as the teacher has answered and no parent learned from; none where they would
    show nothing."""
    learned = learned_before(job)
    texts = load_certification(job, outputs, learned=learned or frozenset())
    if texts is None:
        return FoundTexts(None, "no_texts")
    if learned is None:
        return FoundTexts(None, "parent_texts_unknown")
    if len(texts.texts) < FEWEST_TEXTS:
        return FoundTexts(None, "too_few_texts")
    return FoundTexts(texts, None)


def tell_certified(certified: Certified) -> Json:
    """The few figures that a model shows."""
    certification = certified.certification
    halves = certification.engines[REFERENCE]
    return {
        "rows": len(halves.shaping) + len(halves.certifying),
        "source": certification.source,
        "temperature": certification.temperature,
        "ece_before": certified.ece_before,
        "ece_after": certified.ece_after,
    }


def tell_cascades(certified: Certified) -> Json:
    """The same, with the curve of what a cascade would answer."""
    certification = certified.certification
    curve = cascade_curve(certification.engines[REFERENCE], certification.labels)
    return tell_certified(certified) | {"curve": curve}
