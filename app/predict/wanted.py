"""What a request says of unsure answers, whose fields have to suit one another."""

from app.predict.schemas import PredictBody
from app.predict.thresholds import Target, Wanted
from core.errors import ErrorItem, ValidationFailed
from llkd.cascade import Below


def wanted_by(body: PredictBody) -> Wanted:
    """The thresholds that the body asks for.

    Raises:
        ValidationFailed: two of them, a target that does not say who answers below it, one of
            texts that are read in another way than what was certified, or a teacher who would
            never be asked.
    """
    if body.target is None:
        if body.threshold is None and body.on_low_confidence == "teacher":
            raise _refusal(
                "/on_low_confidence",
                "threshold-missing",
                "The teacher is asked below a `threshold` or a `target`; give one of them.",
            )
        return body.threshold
    if body.threshold is not None:
        raise _refusal("/target", "threshold-and-target", "Give `threshold` or `target`, not both.")
    if body.long_texts != "head":
        raise _refusal(
            "/long_texts",
            "target-of-heads",
            "A `target` is certified on what the model says of the heads of texts; leave "
            f"`long_texts` at `head`, not {body.long_texts!r}, or give a `threshold` of your own.",
        )
    match body.on_low_confidence:
        case "return":
            raise _refusal(
                "/on_low_confidence",
                "target-unsaid",
                "A `target` is held by not answering, or by the teacher: `abstain` or `teacher`.",
            )
        case "abstain":
            below = Below.NOBODY
        case "teacher":
            below = Below.TEACHER
    return Target(body.target.agreement, body.target.delta, below)


def _refusal(pointer: str, code: str, message: str) -> ValidationFailed:
    return ValidationFailed(message, errors=[ErrorItem(pointer, code, message)])
