"""A scorer of a tiny random model, and what its scores are held against."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from llkd.teachers.causal_lm.control_tokens import ControlTokens
from llkd.teachers.causal_lm.frame import Frame
from llkd.teachers.causal_lm.scorer import LabelScorer
from llkd.teachers.causal_lm.scores import LabelScores
from tests.llkd.teachers.causal_lm.naive import naive_scores
from tests.llkd.tiny_lm import make_model, make_tokenizer

PREFIX = "Say which label fits a text. Labels: billing, billing dispute, technical, other.\n" * 3
SUFFIX = "\nWhich label above fits this text?\nLabel:"
# One that others begin with, one that is a single token, one of many.
LABELS = ("billing", "billing dispute", "a", "the service is down again", "bill")
TEXTS = (
    "I was charged twice and want a refund.",
    "",
    "\n\nThe app crashes when I open an invoice. " * 4,
    " nothing loads",
    "Ünïcode — 日本語 🙂",
    "x",
)


def make_frame(
    tokenizer: PreTrainedTokenizerBase,
    *,
    labels: Sequence[str] = LABELS,
    end: str = "\n",
    lead: str = " ",
) -> Frame:
    return Frame(
        prefix=PREFIX,
        suffix=SUFFIX,
        continuations=tuple(f"{lead}{label}{end}" for label in labels),
        control=ControlTokens(tokenizer),
    )


def make_scorer(
    family: str = "llama",
    *,
    labels: Sequence[str] = LABELS,
    end: str = "\n",
    splits_words: bool = True,
    token_budget: int = 400,
    **changes: Any,
) -> LabelScorer:
    tokenizer = make_tokenizer(splits_words=splits_words)
    return LabelScorer(
        make_model(family, **changes),
        tokenizer,
        make_frame(tokenizer, labels=labels, end=end),
        token_budget=token_budget,
    )


def score_all(scorer: LabelScorer, texts: Sequence[str] = TEXTS) -> list[LabelScores]:
    found = scorer.score(texts)
    assert None not in found
    return [scores for scores in found if scores is not None]


def assert_as_naive(scorer: LabelScorer, texts: Sequence[str] = TEXTS) -> list[LabelScores]:
    found = score_all(scorer, texts)
    for text, scores in zip(texts, found, strict=True):
        expected = naive_scores(
            scorer._model,
            scorer._reader._tokenizer,
            scorer._frame.around(text),
            scorer._frame.continuations,
        )
        assert scores.log_probabilities == pytest.approx(expected, abs=1e-4)
        probabilities = np.exp(expected)
        assert scores.probabilities == pytest.approx(probabilities / probabilities.sum(), abs=1e-5)
        assert scores.label_mass == pytest.approx(probabilities.sum(), abs=1e-5, rel=1e-4)
    return found
