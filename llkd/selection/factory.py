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
    ClassConfidenceSelection,
    FreeMatchSelection,
    LlkdSelection,
    RandomSelection,
    SingleSelection,
    StudentUncertaintySelection,
    TeacherConfidenceSelection,
)
from llkd.types import Pool


def fit_to_pool(spec: SingleSelection, pool: Pool) -> SingleSelection:
    """The selection that is trained with on this pool: the one asked for, or `all`.

    Where no confidence of any text is known, LLKD is its student gate alone, which asks
    for the very texts that the teacher got wrong: training on everything is better then.
    """
    if isinstance(spec, LlkdSelection) and bool(np.isnan(pool.confidence).all()):
        return AllSelection()
    return spec


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
