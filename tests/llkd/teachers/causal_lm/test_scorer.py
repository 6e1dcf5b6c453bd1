"""Scores are those of the whole prompt with each label after it, whatever way they are found."""

from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest

from llkd.teachers.causal_lm import obstacles
from llkd.teachers.causal_lm.control_tokens import ControlTokens
from llkd.teachers.causal_lm.frame import Frame
from llkd.teachers.causal_lm.obstacles import Obstacle
from llkd.teachers.causal_lm.scorer import LabelScorer
from llkd.teachers.causal_lm.scores import ScoringPath
from tests.llkd.teachers.causal_lm.parts import TEXTS, assert_as_naive, make_scorer, score_all
from tests.llkd.tiny_lm import CONTEXT, END, make_model, make_tokenizer

pytestmark = pytest.mark.usefixtures("one_thread")
TREE_FAMILIES = ("llama", "qwen3", "gemma", "gpt2")
FORGETFUL_FAMILIES = ("gemma2", "gemma3_text", "mistral")


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
