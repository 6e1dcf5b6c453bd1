"""Which teacher a spec asks for."""

from collections.abc import Sequence
from pathlib import Path
from typing import assert_never

from llkd.base_models import ModelSource, fingerprint, locate
from llkd.specs import (
    FewShotTeacher,
    HuggingFaceTeacher,
    Label,
    LocalTeacher,
    ProvidedTeacher,
    ZeroShotTeacher,
)
from llkd.teachers.base import Teacher
from llkd.teachers.few_shot import Embedder, FewShotClassifier
from llkd.teachers.provided import ProvidedAnswers
from llkd.teachers.zero_shot import make_zero_shot
from llkd.types import ConfidenceSource


def build_teacher(
    spec: LocalTeacher, *, labels: Sequence[Label], source: ModelSource, instruction: str = ""
) -> Teacher:
    """Build a teacher that works on this host; it loads what it needs when first asked.

    `instruction` says what the task is about, to those that read instructions.

    Raises:
        ModelNotAllowed: the teacher's base model cannot be loaded safely.
    """
    match spec:
        case FewShotTeacher():
            folder = locate(spec.model, revision=spec.revision, source=source)
            return FewShotClassifier(
                labels,
                model=spec.model,
                weights_sha256=fingerprint(folder),
                load_embedder=lambda: _load_embedder(folder),
            )
        case ZeroShotTeacher():
            return make_zero_shot(spec, labels, source=source)
        case HuggingFaceTeacher():
            # Imported here: which numbers it computes in is asked of torch.
            from llkd.teachers.causal_lm.making import make_causal_lm

            return make_causal_lm(spec, labels, instruction=instruction, source=source)
        case ProvidedTeacher():
            return ProvidedAnswers(labels, source=ConfidenceSource(spec.confidence))
        case _:
            assert_never(spec)


def _load_embedder(folder: Path) -> Embedder:
    # Imported here: a provided teacher, and whoever only wants a fingerprint, needs no torch.
    from llkd.teachers.local_embedder import LocalEmbedder

    return LocalEmbedder.from_folder(folder)
