"""Where memory ends, less is read at once, and the scores stay what they are."""

from typing import Any

import numpy as np
import pytest
import torch

from llkd.errors import TeacherOutOfMemory
from llkd.teachers.causal_lm.prefix_cache import PrefixCache
from tests.llkd.teachers.causal_lm.parts import make_scorer, score_all
from tests.llkd.tiny_lm import make_model

pytestmark = pytest.mark.usefixtures("one_thread")


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
