"""Scores are those of the whole prompt with each label after it, whatever way they are found."""

from collections.abc import Sequence
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from transformers import PreTrainedTokenizerBase

from llkd.errors import TeacherOutOfMemory
from llkd.teachers.causal_lm import obstacles
from llkd.teachers.causal_lm.control_tokens import ControlTokens
from llkd.teachers.causal_lm.frame import Frame
from llkd.teachers.causal_lm.obstacles import Obstacle
from llkd.teachers.causal_lm.prefix_cache import PrefixCache
from llkd.teachers.causal_lm.scorer import LabelScorer
from llkd.teachers.causal_lm.scores import LabelScores, ScoringPath
from tests.llkd.teachers.causal_lm.naive import naive_scores
from tests.llkd.tiny_lm import CONTEXT, END, make_model, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
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
TREE_FAMILIES = ("llama", "qwen3", "gemma", "gpt2")
FORGETFUL_FAMILIES = ("gemma2", "gemma3_text", "mistral")


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


class FailingForward:
    """A model's forward that has no memory for more than some tokens."""

    def __init__(
        self,
        model: torch.nn.Module,
        *,
        most_tokens: int = 10_000,
        most_rows: int = 10_000,
        after_layers: bool = False,
    ) -> None:
        self._forward = model.forward
        self._most_tokens = most_tokens
        self._most_rows = most_rows
        self._after_layers = after_layers
        self.rows: list[int] = []
        self.tokens: list[int] = []
        model.forward = self

    def __call__(self, **arguments: Any) -> object:
        rows, count = arguments["input_ids"].shape
        self.rows.append(rows)
        self.tokens.append(count)
        fits = count <= self._most_tokens and rows <= self._most_rows
        if not fits and not self._after_layers:
            raise torch.OutOfMemoryError("scripted")
        outputs = self._forward(**arguments)
        if not fits:
            # The first layer's cache lost what the last one has: as if it had stopped between.
            arguments["past_key_values"].layers[0].crop(-count)
            raise torch.OutOfMemoryError("scripted")
        return outputs


class TestScore:
    @pytest.mark.parametrize("end", ["\n", END])
    @pytest.mark.parametrize("family", TREE_FAMILIES)
    def test_texts_and_labels_in_one_forward_score_as_whole_prompts(self, family, end):
        scorer = make_scorer(family, end=end)
        found = assert_as_naive(scorer)
        assert scorer.obstacle is None
        assert {scores.path for scores in found} == {ScoringPath.PREFIX_TREE}

    @pytest.mark.parametrize("family", FORGETFUL_FAMILIES)
    def test_a_model_that_forgets_reads_each_text_after_a_copy_of_the_prefix(self, family):
        scorer = make_scorer(family)
        found = assert_as_naive(scorer)
        assert scorer.obstacle is Obstacle.CACHE
        assert {scores.path for scores in found} == {ScoringPath.PREFIX_COPY}

    @pytest.mark.parametrize("family", FORGETFUL_FAMILIES)
    def test_more_labels_than_go_side_by_side_score_as_whole_prompts(self, family):
        names = [f"{first}{second}" for first in ("bill", "app") for second in "abcdefghijkl"]
        assert_as_naive(make_scorer(family, labels=[*names, "a", "bill"]), TEXTS[:2])

    def test_a_mistral_without_a_window_does_not_forget(self):
        scorer = make_scorer("mistral", sliding_window=None)
        assert_as_naive(scorer, TEXTS[:3])
        assert scorer.obstacle is None

    def test_an_attention_without_masks_needs_none_of_ours(self, monkeypatch):
        monkeypatch.setattr(obstacles, "_TAKES_ANY_MASK", frozenset())
        scorer = make_scorer()
        found = assert_as_naive(scorer)
        assert scorer.obstacle is Obstacle.ATTENTION
        assert {scores.path for scores in found} == {ScoringPath.PREFIX_COPY}

    def test_rotations_that_change_with_the_length_read_whole_prompts(self):
        changing = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10_000.0}
        scorer = make_scorer(rope_parameters=changing)
        found = assert_as_naive(scorer, TEXTS[:2])
        assert scorer.obstacle is Obstacle.POSITIONS
        assert {scores.path for scores in found} == {ScoringPath.FULL_PROMPT}

    def test_a_model_that_does_not_obey_the_mask_is_found_out(self, monkeypatch):
        scorer = make_scorer()
        forward = scorer._model.forward

        def heedless(**given: Any) -> object:
            return forward(**given | {"attention_mask": None})

        monkeypatch.setattr(scorer._model, "forward", heedless)
        found = assert_as_naive(scorer)
        assert scorer.obstacle is Obstacle.DISAGREEMENT
        assert {scores.path for scores in found} == {ScoringPath.PREFIX_COPY}

    def test_a_model_that_keeps_nothing_reads_whole_prompts(self, monkeypatch):
        scorer = make_scorer("mistral")
        forward = scorer._model.forward

        def forgetting(**given: Any) -> object:
            return forward(**given | {"past_key_values": None, "use_cache": False})

        monkeypatch.setattr(scorer._model, "forward", forgetting)
        found = assert_as_naive(scorer, TEXTS[:2])
        assert {scores.path for scores in found} == {ScoringPath.FULL_PROMPT}

    def test_tokens_that_reach_across_borders_read_whole_prompts(self):
        scorer = make_scorer(splits_words=False, labels=("billing", "billing dispute", "technical"))
        found = assert_as_naive(scorer)
        assert scorer.obstacle is Obstacle.TOKENS
        assert {scores.path for scores in found} == {ScoringPath.FULL_PROMPT}
        # Not by chance: the last token of the prompt is another one before a label.
        prompt = scorer._frame.around("")
        whole = scorer._reader.spell("")
        assert whole.shared < len(scorer._reader._encode([prompt])[0])

    def test_a_text_that_melts_into_the_prefix_is_read_whole_and_harms_no_other(self):
        tokenizer = make_tokenizer(corpus=("=:", "Label: billing other", "text") * 9)
        frame = Frame("Text=", "\nLabel:", (" billing\n", " other\n"), ControlTokens(tokenizer))
        scorer = LabelScorer(make_model("llama"), tokenizer, frame)
        melting, apart = assert_as_naive(scorer, [": text", "text"])
        assert melting.path is ScoringPath.FULL_PROMPT
        assert apart.path is ScoringPath.PREFIX_TREE

    def test_a_single_label_may_begin_with_all_others(self):
        scorer = make_scorer(labels=("b", "bi", "bil", "bill", "billing"))
        assert_as_naive(scorer)

    def test_labels_exclude_one_another_by_their_ends(self):
        # Every label of up to two letters, and there is nothing else the sum could hold.
        labels = [first + second for first in "ab" for second in ("", "a", "b")]
        found = score_all(make_scorer(labels=labels))
        assert all(0 < scores.label_mass < 1 for scores in found)

    def test_no_text_needs_no_model(self):
        assert make_scorer().score([]) == []

    def test_prompt_tokens_are_counted_whole(self):
        scorer = make_scorer()
        (scores,) = score_all(scorer, ["x"])
        whole = scorer._reader._tokenizer(scorer._frame.around("x")).input_ids
        assert scores.prompt_tokens == len(whole)


class TestCompany:
    @pytest.mark.parametrize("family", [*TREE_FAMILIES, "mistral"])
    def test_probabilities_do_not_depend_on_neighbours(self, family):
        scorer = make_scorer(family)
        together = score_all(scorer, TEXTS)
        backwards = score_all(scorer, TEXTS[::-1])[::-1]
        for text, first, second in zip(TEXTS, together, backwards, strict=True):
            (alone,) = score_all(scorer, [text])
            for other in (second, alone):
                assert other.probabilities == pytest.approx(first.probabilities, abs=1e-5)
                assert other.label_mass == pytest.approx(first.label_mass, abs=1e-5)

    def test_equal_texts_in_equal_order_have_equal_bits(self):
        first, second = (score_all(make_scorer()) for _ in range(2))
        for one, other in zip(first, second, strict=True):
            assert np.array_equal(one.log_probabilities, other.log_probabilities)


class TestLength:
    def test_a_text_that_is_too_long_has_no_scores_and_harms_no_other(self):
        first, long, last = make_scorer().score(["x", "refund " * CONTEXT, "x"])
        assert long is None
        assert first is not None
        assert last is not None

    @pytest.mark.parametrize("family", ["llama", "mistral"])
    def test_prompt_and_label_may_fill_the_context_to_its_end(self, family):
        scorer = make_scorer(family)
        (one,) = score_all(scorer, ["x"])
        # Of the longest label, the end is not read.
        room = CONTEXT - one.prompt_tokens - scorer._answer_room
        (full,) = assert_as_naive(scorer, ["x" * (1 + room)])
        assert full.prompt_tokens + scorer._answer_room == CONTEXT
        assert scorer.score(["x" * (2 + room)]) == [None]

    def test_a_prefix_that_is_too_long_leaves_no_text(self):
        assert make_scorer(max_position_embeddings=64).score(["x", ""]) == [None, None]

    def test_a_text_of_megabytes_is_not_tokenized(self, monkeypatch):
        scorer = make_scorer()
        read = Mock(wraps=scorer._reader.read)
        monkeypatch.setattr(scorer._reader, "read", read)
        assert scorer.score(["x" * 10**6, "x"])[0] is None
        read.assert_called_once_with(["x"])


class TestMemory:
    @pytest.mark.parametrize("after_layers", [False, True])
    def test_a_pack_is_halved_until_it_fits(self, after_layers):
        scorer = make_scorer()
        expected = score_all(scorer)
        failing = FailingForward(scorer._model, most_tokens=110, after_layers=after_layers)
        found = score_all(scorer)
        assert max(failing.tokens) > 110
        for one, other in zip(found, expected, strict=True):
            assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-4)

    def test_labels_side_by_side_are_halved_until_they_fit(self):
        names = [f"bill{letter}" for letter in "abcdefghijkl"]
        scorer = make_scorer("mistral", labels=names)
        expected = score_all(scorer)
        failing = FailingForward(scorer._model, most_rows=3)
        found = score_all(scorer)
        assert max(failing.rows) > 3
        for one, other in zip(found, expected, strict=True):
            assert one.log_probabilities == pytest.approx(other.log_probabilities, abs=1e-4)

    def test_what_did_not_fit_is_not_tried_again(self):
        scorer = make_scorer()
        score_all(scorer)
        failing = FailingForward(scorer._model, most_tokens=110)
        score_all(scorer, ["x"] * 40)
        first_fit = next(place for place, count in enumerate(failing.tokens) if count <= 110)
        assert all(count <= 110 for count in failing.tokens[first_fit:])

    def test_one_text_that_does_not_fit_is_an_error(self):
        scorer = make_scorer()
        score_all(scorer)
        FailingForward(scorer._model, most_tokens=20)
        with pytest.raises(TeacherOutOfMemory, match="one text"):
            scorer.score(["x", "y"])

    def test_after_the_error_the_prefix_is_as_it_was(self):
        scorer = make_scorer()
        forward = scorer._model.forward
        expected = score_all(scorer, ["x"])
        FailingForward(scorer._model, most_tokens=20, after_layers=True)
        with pytest.raises(TeacherOutOfMemory):
            scorer.score(["x"])
        scorer._model.forward = forward
        assert np.array_equal(
            score_all(scorer, ["x"])[0].log_probabilities, expected[0].log_probabilities
        )

    def test_a_prompt_that_does_not_fit_is_an_error(self):
        scorer = make_scorer()
        FailingForward(scorer._model, most_tokens=10)
        with pytest.raises(TeacherOutOfMemory, match="one prompt"):
            scorer.score(["x"])

    def test_a_prefix_that_cannot_be_kept_is_an_error(self):
        model = make_model("llama")
        FailingForward(model, most_tokens=10)
        with pytest.raises(TeacherOutOfMemory, match="before every text"):
            PrefixCache(model, range(11))
