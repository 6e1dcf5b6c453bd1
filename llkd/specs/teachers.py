"""Who labels the texts."""

from typing import Annotated, Literal

from pydantic import Field

from llkd.specs.base import OFFLINE_MODEL, ModelName, Revision, Spec


class FewShotTeacher(Spec):
    """A local teacher that needs no key: embeddings, and a classifier fitted on the labels'
    names, descriptions and examples. Its probabilities are calibrated by cross-validation."""

    kind: Literal["few_shot"] = "few_shot"
    model: ModelName = OFFLINE_MODEL
    revision: Revision = None


class ProvidedTeacher(Spec):
    """Answers made elsewhere: the dataset's teacher columns."""

    kind: Literal["provided"] = "provided"


TeacherSpec = Annotated[FewShotTeacher | ProvidedTeacher, Field(discriminator="kind")]
