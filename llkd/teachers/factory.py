"""Which teacher a spec asks for."""

from pathlib import Path
from typing import assert_never

from llkd.base_models import ModelSource, fingerprint, locate
from llkd.specs import DistillationSpec, FewShotTeacher, ProvidedTeacher
from llkd.teachers.base import Teacher
from llkd.teachers.few_shot import Embedder, FewShotClassifier
from llkd.teachers.provided import ProvidedAnswers


def build_teacher(spec: DistillationSpec, *, source: ModelSource) -> Teacher:
    """Build the teacher of a distillation; it loads what it needs when first asked.

    Raises:
        ModelNotAllowed: the teacher's base model cannot be loaded safely.
    """
    match spec.teacher:
        case FewShotTeacher() as teacher:
            folder = locate(teacher.model, revision=teacher.revision, source=source)
            return FewShotClassifier(
                spec.labels,
                model=teacher.model,
                weights_sha256=fingerprint(folder),
                load_embedder=lambda: _load_embedder(folder),
            )
        case ProvidedTeacher() as teacher:
            return ProvidedAnswers(spec.labels, confidence=teacher.confidence)
        case _:
            assert_never(spec.teacher)


def _load_embedder(folder: Path) -> Embedder:
    # Imported here: a provided teacher, and whoever only wants a fingerprint, needs no torch.
    from llkd.teachers.local_embedder import LocalEmbedder

    return LocalEmbedder.from_folder(folder)
