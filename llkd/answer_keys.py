"""By what an answer is found again: all that decides it, and nothing else."""

import hashlib
import json
from dataclasses import asdict

from llkd.types import Question


def answer_key(fingerprint: str, question: Question, *, reads_provided: bool = False) -> str:
    """Sha256 of a teacher's fingerprint and a question.

    Args:
        reads_provided: whether an answer that stands in the dataset is part of the question.
    """
    provided = question.provided if reads_provided else None
    decides = [fingerprint, question.text, None if provided is None else asdict(provided)]
    return hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
