"""Which selector a spec asks for."""

from typing import assert_never

import numpy as np

from llkd.selection.adaptive_gates import DualGate, StudentGate, TeacherGate
from llkd.selection.base import Selector
from llkd.selection.class_confidence import ClassConfidence
from llkd.selection.every import Every
from llkd.selection.freematch import FreeMatch
from llkd.selection.random_share import RandomShare
from llkd.specs import (
    AllSelection,
    Candidate,
    ClassConfidenceSelection,
    FreeMatchSelection,
    LlkdSelection,
    RandomSelection,
    SingleSelection,
    StudentUncertaintySelection,
    TeacherConfidenceSelection,
)
from llkd.types import Pool


def fit_to_pool(candidate: Candidate, pool: Pool) -> Candidate:
    """The candidate as it is trained on this pool: as it was asked for, or LLKD as `all`.

    Where no confidence of the teacher's is known, LLKD is its student gate alone, which asks
    for the very texts that the teacher got wrong: training on everything is better then.
    Where labelling was lazy, both questions of LLKD were put before a text was bought; put
    again they leave nothing after some forty steps, and what was bought wants more.
    """
    selection, training = candidate.selection, candidate.training
    if not isinstance(selection, LlkdSelection):
        return candidate
    if selection.labeling == "lazy":
        passes, _ = candidate.usual_length(pool_size=len(pool))
        # Looks at the held-out tenth of so few texts choose weights by luck.
        training = training.model_copy(update={"epochs": passes, "early_stopping": False})
        return candidate.model_copy(update={"selection": AllSelection(), "training": training})
    if bool(np.isnan(pool.confidence[pool.is_teachers]).all()):
        return candidate.model_copy(update={"selection": AllSelection()})
    return candidate


def build_selector(spec: SingleSelection, *, pool: Pool, seed: int) -> Selector:
    """Build the selector of one training on this pool; equal arguments select equally."""
    match spec:
        case LlkdSelection():
            return DualGate(pool.class_count, momentum=spec.momentum)
        case TeacherConfidenceSelection():
            return TeacherGate(pool.class_count, momentum=spec.momentum)
        case StudentUncertaintySelection():
            return StudentGate(pool.class_count, momentum=spec.momentum)
        case FreeMatchSelection():
            return FreeMatch(pool.class_count, momentum=spec.momentum)
        case ClassConfidenceSelection():
            return ClassConfidence(pool, share=spec.share, seed=seed)
        case RandomSelection():
            return RandomShare(spec.share, seed=seed)
        case AllSelection():
            return Every()
        case _:
            assert_never(spec)
