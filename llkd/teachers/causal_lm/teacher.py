"""A local teacher that needs no key: a causal language model, asked for every label's probability."""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

from llkd.specs import Label
from llkd.teachers.causal_lm.scores import LabelScores
from llkd.teachers.prompts import PROMPT_VERSION, Prompt
from llkd.teachers.readable import is_readable
from llkd.types import AnswerStatus, ConfidenceSource, Question, TeacherAnswer

# Part of the fingerprint. Raise it with any change after which an equal prompt and equal
# weights would give other answers.
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
        dtype: str,
        load_scorer: Callable[[Prompt], Scorer],
    ) -> None:
        """Nothing is loaded yet.

        Args:
            prompt: the task; its labels are answered by their names.
            model: the name to record.
            weights_sha256: of all files that decide the model's answers.
            dtype: what it computes in, resolved: never "auto".
            load_scorer: loads the model.
        """
        self._prompt = prompt
        self._model = model
        self._weights_sha256 = weights_sha256
        self._dtype = dtype
        self._load_scorer = load_scorer

    @property
    def fingerprint(self) -> str:
        """Sha256 over recipe, model files, number format and every word of the prompt."""
        prompt = self._prompt
        labels = [[label.name, label.description, *label.examples] for label in prompt.labels]
        decides = json.dumps(
            [
                "causal_lm",
                RECIPE_VERSION,
                PROMPT_VERSION,
                self._weights_sha256,
                self._dtype,
                labels,
                prompt.instruction,
                prompt.examples_per_label,
                prompt.codes,
            ]
        )
        return hashlib.sha256(decides.encode()).hexdigest()

    @property
    def model(self) -> str:
        return f"causal_lm/{self._model}"

    @property
    def batch_size(self) -> int:
        # Enough short texts for a full pack on a GPU.
        return 64

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        """Answer each question.

        Text that is no valid Unicode is `malformed`, one that is longer than the model
        reads `too_long`.

        Raises:
            ModelNotAllowed: the model's weights are not complete.
            TeacherOutOfMemory: the device cannot hold even one text.
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
        return self._load_scorer(self._prompt)


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
    )
