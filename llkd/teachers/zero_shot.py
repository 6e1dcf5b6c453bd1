"""A local teacher that needs no example: how well does each label's text fit the text?"""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

from llkd.base_models import ModelSource, fingerprint, locate
from llkd.calibration import softmax
from llkd.specs import Label
from llkd.specs.teachers import ZeroShotTeacher
from llkd.teachers.few_shot import Embedder, describe
from llkd.teachers.readable import is_readable
from llkd.teachers.zero_shot_model import Inference, read_inference
from llkd.types import AnswerStatus, ConfidenceSource, FloatArray, Question, TeacherAnswer

# Part of the fingerprint. Raise it with any change after which equal labels and weights
# would give other answers.
RECIPE_VERSION = 1

# Cosines are divided by this. Of 800 training texts each of nine corpora, told by the names
# of their labels alone, the negative log-likelihood of MiniLM was least at 0.06 to 0.08 on
# the five whose names say what their texts are about (emotions twice, questions, intents,
# sentiment). On the four whose names do not (roles of sentences three times, verdicts on
# claims) it guessed, and any temperature makes it too sure.
SIMILARITY_TEMPERATURE = 0.07

# Texts times labels that are asked about at once: enough of each length to fill batches.
_PAIRS = 4096


class LabelScorer(Protocol):
    """Says how well each of K labels fits a text."""

    def score(self, texts: Sequence[str]) -> FloatArray:
        """[N, K] logits: their softmax over the labels is the answer."""
        ...


class ZeroShotClassifier:
    """Answers with a softmax over the labels' scores, which is calibrated by nothing.

    A text longer than the model reads is judged by its beginning.
    """

    def __init__(
        self,
        label_texts: Sequence[str],
        *,
        model: str,
        weights_sha256: str,
        load_scorer: Callable[[], LabelScorer],
    ) -> None:
        """label_texts: what the model reads of each label, in the labels' order."""
        self._label_texts = tuple(label_texts)
        self._model = model
        self._weights_sha256 = weights_sha256
        self._load_scorer = load_scorer

    @property
    def fingerprint(self) -> str:
        """Sha256 over the recipe, the model's files and what it reads of the labels.

        A hypothesis is part of what is read where there is inference, and of nothing where
        vectors are compared. The files tell the one from the other.
        """
        decides = json.dumps(
            ["zero_shot", RECIPE_VERSION, self._weights_sha256, *self._label_texts]
        )
        return hashlib.sha256(decides.encode()).hexdigest()

    @property
    def model(self) -> str:
        return f"zero_shot/{self._model}"

    @property
    def batch_size(self) -> int:
        return max(8, _PAIRS // len(self._label_texts))

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        """Answer each question; text that is no valid Unicode is `malformed`."""
        readable = [place for place, asked in enumerate(questions) if is_readable(asked.text)]
        answers = [TeacherAnswer(AnswerStatus.MALFORMED) for _ in questions]
        if readable:
            scores = self._scorer.score([questions[place].text for place in readable])
            for place, row in zip(readable, softmax(scores), strict=True):
                answers[place] = _answered(row)
        return answers

    @cached_property
    def _scorer(self) -> LabelScorer:
        return self._load_scorer()


class Similarity:
    """Scores a label by the cosine between its vector and the text's."""

    def __init__(self, label_texts: Sequence[str], embedder: Embedder) -> None:
        self._embedder = embedder
        self._labels = embedder.embed(label_texts)[:, -1]  # [K, H]

    def score(self, texts: Sequence[str]) -> FloatArray:
        vectors = self._embedder.embed(texts)[:, -1]  # [N, H]
        # Text by text: a matrix product's last bits depend on how many rows it has.
        cosines = (vectors[:, None, :] * self._labels[None]).sum(axis=-1)
        scores: FloatArray = cosines / SIMILARITY_TEMPERATURE
        return scores


def make_zero_shot(
    spec: ZeroShotTeacher, labels: Sequence[Label], *, source: ModelSource
) -> ZeroShotClassifier:
    """Build the teacher in the way its model is made for; it loads it when first asked.

    Raises:
        ModelNotAllowed: the model cannot be loaded safely, or judges something else.
    """
    folder = locate(spec.model, revision=spec.revision, source=source)
    inference = read_inference(folder)
    texts = [describe(label) for label in labels]
    if inference is not None:
        texts = [spec.hypothesis.replace("{}", text) for text in texts]
    return ZeroShotClassifier(
        texts,
        model=spec.model,
        weights_sha256=fingerprint(folder),
        load_scorer=lambda: _load_scorer(folder, texts, inference),
    )


def _load_scorer(folder: Path, texts: Sequence[str], inference: Inference | None) -> LabelScorer:
    # Imported here: whoever only wants a fingerprint needs no torch.
    if inference is not None:
        from llkd.teachers.local_entailment import LocalEntailment

        return LocalEntailment.from_folder(folder, hypotheses=texts, inference=inference)
    from llkd.teachers.local_embedder import LocalEmbedder

    return Similarity(texts, LocalEmbedder.from_folder(folder))


def _answered(probabilities: FloatArray) -> TeacherAnswer:
    label = int(probabilities.argmax())
    return TeacherAnswer(
        AnswerStatus.ANSWERED,
        label=label,
        probabilities=tuple(probabilities.tolist()),
        confidence=float(probabilities[label]),
        confidence_source=ConfidenceSource.CLASSIFIER,
    )
