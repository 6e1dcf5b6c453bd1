"""Which texts that say nothing is a teacher asked about, and when?"""

from llkd.specs import DistillationSpec, HuggingFaceTeacher, OpenAITeacher

# What a text is replaced by to see which label a model gives to nothing. A chat teacher's
# codes depend on the text: whatever the labels, these four are asked with as many different
# decks as there are, so that a liking for a code is not taken for one for a label.
CONTENT_FREE_TEXTS = ("", "N/A", "...", "?")


def wants_content_free(spec: DistillationSpec, *, gold_fits: bool) -> bool:
    """Whether the teacher is to be asked about `CONTENT_FREE_TEXTS`, if it gives probabilities.

    By default a language model is: what it says to nothing is its bias. What an embedder
    says to nothing is where nothing happens to lie among the examples.

    Args:
        gold_fits: whether gold is enough for a calibration that asks nothing.
    """
    if spec.calibration == "auto":
        return not gold_fits and isinstance(spec.teacher, OpenAITeacher | HuggingFaceTeacher)
    return spec.calibration == "contextual"
