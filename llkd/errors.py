"""What can go wrong inside the method. Knows nothing of HTTP: the caller translates `code`."""


class LlkdError(Exception):
    """A distillation that cannot go on; `code` is stable, the message is for a person."""

    code = "distillation-failed"


class InsufficientLabelDiversity(LlkdError):
    """Too few classes, or too few texts in each, were labelled to train on."""

    code = "insufficient-label-diversity"


class TooFewLabels(LlkdError):
    """Labelling was cut short before there was enough to train on."""

    code = "too-few-labels"


class TrainingDiverged(LlkdError):
    """The loss stopped being a finite number and did not recover."""

    code = "training-diverged"


class TeacherUnusable(LlkdError):
    """The teacher cannot answer enough of these texts."""

    code = "teacher-unusable"


class TeacherOutOfMemory(LlkdError):
    """A local teacher's device cannot hold its model and one text beside it."""

    code = "teacher-out-of-memory"


class ModelNotAllowed(LlkdError):
    """The named base model cannot be loaded safely."""

    code = "model-not-allowed"


class StudentMismatch(LlkdError):
    """A student that is to learn on is not of the kind, or of the classes, that were asked for."""

    code = "student-mismatch"


class DeviceUnavailable(LlkdError):
    """The device that was asked for is not here."""

    code = "device-unavailable"


class ExportMismatch(LlkdError):
    """The exported model does not answer as the trained one."""

    code = "export-mismatch"


class CheckpointDamaged(LlkdError):
    """A checkpoint's files are not the ones that were written."""

    code = "checkpoint-damaged"
