"""A local teacher that needs no key: a causal language model, asked for every label's
probability."""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

from llkd.teachers.causal_lm.prompt import Prompt
from llkd.teachers.causal_lm.scores import LabelScores
from llkd.teachers.readable import is_readable
from llkd.types import AnswerStatus, ConfidenceSource, Question, TeacherAnswer

# Part of the fingerprint. Raise it with any change after which equal labels and weights
# would be asked about in other words, or give other answers.
RECIPE_VERSION = 1


class Scorer(Protocol):
    """Knows what a language model says of the labels of one prompt."""

    def score(self, texts: Sequence[str]) -> list[LabelScores | None]:
        """Score each text, in order; None for one that is longer than the model reads."""
        ...


class CausalLMTeacher:
    """Loads its model when first asked. Its confidence is not calibrated."""

    def __init__(
        self,
        prompt: Prompt,
        *,
        model: str,
        weights_sha256: str,
        number_format: str,
        batch_size: int,
        load_scorer: Callable[[], Scorer],
    ) -> None:
        """Nothing is loaded yet.

        Args:
            prompt: the task.
            model: the name to record.
            weights_sha256: of all files that decide the model's answers.
            number_format: what it computes in; another one moves probabilities by
                hundredths.
            batch_size: questions that it likes at once.
            load_scorer: loads the model.
        """
        self._prompt = prompt
        self._model = model
        self._weights_sha256 = weights_sha256
        self._number_format = number_format
        self._batch_size = batch_size
        self._load_scorer = load_scorer

    @property
    def fingerprint(self) -> str:
        """Sha256 over recipe, model files, number format and every word of the prompt.

        The device is left out: another one adds in another order, and no more.
        """
        made_of = [self._weights_sha256, self._number_format]
        decides = json.dumps(["huggingface", RECIPE_VERSION, made_of, self._prompt.told])
        return hashlib.sha256(decides.encode()).hexdigest()

    @property
    def model(self) -> str:
        return f"huggingface/{self._model}"

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        """Answer each question.

        Text that is no valid Unicode is `malformed`, one that is longer than the model
        reads `too_long`.

        Raises:
            ModelNotAllowed: the model's weights are not complete.
            TeacherOutOfMemory: the device cannot hold the model and one text.
            TeacherUnusable: the model's chat template or tokenizer cannot be used.
        """
        readable = [place for place, asked in enumerate(questions) if is_readable(asked.text)]
        answers = [TeacherAnswer(AnswerStatus.MALFORMED) for _ in questions]
        if readable:
            found = self._scorer.score([questions[place].text for place in readable])
            for place, scores in zip(readable, found, strict=True):
                answers[place] = _answered(scores)
        return answers

    @cached_property
    def _scorer(self) -> Scorer:
        return self._load_scorer()


def _answered(scores: LabelScores | None) -> TeacherAnswer:
    if scores is None:
        return TeacherAnswer(AnswerStatus.TOO_LONG)
    probabilities = scores.probabilities
    label = int(probabilities.argmax())
    return TeacherAnswer(
        AnswerStatus.ANSWERED,
        label=label,
        probabilities=tuple(probabilities.tolist()),
        confidence=float(probabilities[label]),
        confidence_source=ConfidenceSource.LABEL_LOGPROB,
        tokens_in=scores.prompt_tokens,
        label_mass=scores.label_mass,
        rung=scores.path.value,
    )
