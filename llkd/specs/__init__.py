"""What can be asked of a distillation, typed and validated.

These are also the documented fields of `POST /jobs`: a job's spec is exactly one
`DistillationSpec`, and everything the service adds stands outside it.
"""

from llkd.specs.base import OFFLINE_MODEL, ModelName, Spec, Text, label_key
from llkd.specs.certification import CertificationSpec
from llkd.specs.distillation import MOST_CANDIDATES, Candidate, DistillationSpec
from llkd.specs.labels import MAX_LABELS, Label
from llkd.specs.prediction import AnswerSpec, PredictionSpec
from llkd.specs.selections import (
    AllSelection,
    AutoSelection,
    ClassConfidenceSelection,
    FreeMatchSelection,
    LlkdSelection,
    RandomSelection,
    SelectionSpec,
    SingleSelection,
    StudentUncertaintySelection,
    TeacherConfidenceSelection,
)
from llkd.specs.students import (
    EncoderSpec,
    SingleStudent,
    StaticSpec,
    StudentChoice,
    StudentSpec,
    StudentTarget,
    students_of,
)
from llkd.specs.teachers import (
    EnsembleTeacher,
    FewShotTeacher,
    HuggingFaceTeacher,
    LocalTeacher,
    OpenAITeacher,
    ProvidedTeacher,
    SingleTeacher,
    TeacherSpec,
    TokenPrices,
    ZeroShotTeacher,
    members_of,
)
from llkd.specs.training import MAX_EPOCHS, TrainingSpec

__all__ = [
    "MAX_EPOCHS",
    "MAX_LABELS",
    "MOST_CANDIDATES",
    "OFFLINE_MODEL",
    "AllSelection",
    "AnswerSpec",
    "AutoSelection",
    "Candidate",
    "CertificationSpec",
    "ClassConfidenceSelection",
    "DistillationSpec",
    "EncoderSpec",
    "EnsembleTeacher",
    "FewShotTeacher",
    "FreeMatchSelection",
    "HuggingFaceTeacher",
    "Label",
    "LlkdSelection",
    "LocalTeacher",
    "ModelName",
    "OpenAITeacher",
    "PredictionSpec",
    "ProvidedTeacher",
    "RandomSelection",
    "SelectionSpec",
    "SingleSelection",
    "SingleStudent",
    "SingleTeacher",
    "Spec",
    "StaticSpec",
    "StudentChoice",
    "StudentSpec",
    "StudentTarget",
    "StudentUncertaintySelection",
    "TeacherConfidenceSelection",
    "TeacherSpec",
    "Text",
    "TokenPrices",
    "TrainingSpec",
    "ZeroShotTeacher",
    "label_key",
    "members_of",
    "students_of",
]
