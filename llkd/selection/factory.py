"""Which selector a spec asks for."""

from typing import assert_never

from llkd.selection.base import Selector
from llkd.selection.dual_threshold import DualThreshold
from llkd.selection.every import Every
from llkd.selection.random_share import RandomShare
from llkd.specs import AllSelection, LlkdSelection, RandomSelection, SelectionSpec


def build_selector(spec: SelectionSpec, *, class_count: int, seed: int) -> Selector:
    """Build the selector of one training; equal arguments select equally."""
    match spec:
        case LlkdSelection():
            return DualThreshold(class_count, momentum=spec.momentum)
        case AllSelection():
            return Every()
        case RandomSelection():
            return RandomShare(spec.share, seed=seed)
        case _:
            assert_never(spec)
