"""Which selector a spec asks for."""

from typing import assert_never

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
