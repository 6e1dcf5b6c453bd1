"""Why a model's teacher cannot be asked at prediction, whatever the texts are."""

from dataclasses import dataclass

from core.errors import ErrorItem, ValidationFailed


@dataclass(frozen=True)
class Place:
    """What in a request asks for a model's teacher.

    Attributes:
        pointer: JSON pointer into its body.
        advice: what can be done, or not be done, as a sentence.
    """

    pointer: str
    advice: str


AT_PREDICT = Place("/on_low_confidence", 'Below the threshold, use "return" or "abstain".')
# It is the model in the path that does not fit, whatever stands in the body.
AT_SWITCH = Place("", "Deferral cannot be switched on for this model.")


class DeferralOff(ValidationFailed):
    """Passing texts on to a model's teacher costs money, so each model is switched on by itself.

    `PUT /models/{id}/deferral` does so, with a cap on money or calls. A name that moves on to
    another model leads to that one's caps, not to these.
    """

    code = "deferral-off"
    title = "Deferral is not switched on"

    def __init__(self, model_id: str) -> None:
        message = (
            f"Deferral is not switched on for this model: PUT /models/{model_id}/deferral gives "
            "its teacher a budget."
        )
        super().__init__(message, errors=[ErrorItem(AT_PREDICT.pointer, self.code, message)])


class TeacherNotAskable(ValidationFailed):
    """At prediction only a teacher server (`openai`) can be asked, in the way its job found out.

    The API runs no local teacher, and an ensemble or answers made elsewhere cannot be asked at
    all. Below the threshold such a model can answer all the same (`return`) or `abstain`.
    """

    code = "teacher-not-askable"
    title = "The model's teacher cannot be asked"

    def __init__(self, why: str, place: Place) -> None:
        message = f"This model's teacher cannot be asked at prediction: {why}. {place.advice}"
        super().__init__(message, errors=[ErrorItem(place.pointer, self.code, message)])
