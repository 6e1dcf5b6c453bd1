"""The card says what was done, and no user's text escapes its place in it."""

import numpy as np
import pytest

from llkd.evaluation import evaluate
from llkd.model_card import render_card
from llkd.specs import Label
from tests.llkd.export.conftest import make_card


class TestRenderCard:
    def test_it_names_labels_teacher_counts_and_selection(self):
        card = render_card(make_card())
        assert "| 0 | billing | Invoices |" in card
        assert "| Teacher | few\\_shot/minilm |" in card
        assert "| Different texts | 4,000 |" in card
        assert '"kind": "llkd"' in card

    def test_scores_carry_their_intervals(self):
        gold = np.array([0, 1, 2, 0])
        report = evaluate(gold, gold, confidence=np.full(4, 0.8), labels=["a", "b", "c"])
        card = render_card(make_card(scores={"Student": report}))
        assert (
            "| Student | 4 | 100.0% (100.0% to 100.0%) | 100.0% (100.0% to 100.0%) | 0.200 |"
            in card
        )

    def test_without_gold_labels_it_says_that_nothing_is_known(self):
        assert "its accuracy is not known" in render_card(make_card())

    @pytest.mark.parametrize(
        ("base_model", "says"),
        [("minilm", "license: apache-2.0"), ("owner/name", "licence is not known here")],
    )
    def test_only_known_licences_are_stated(self, base_model, says):
        card = render_card(make_card(base_model=base_model))
        assert says in card
        assert ("license:" in card) == (base_model == "minilm")

    def test_text_of_users_stays_text(self):
        label = Label(name="a|b", description="<script>alert(1)</script>\n# Title\n[x](http://e)")
        card = render_card(make_card(labels=[label, Label(name="b")], name="x\n---\nlicense: mit"))
        assert "<script>" not in card
        assert "\n# Title" not in card
        assert "[x](" not in card.replace("\\[x\\](", "")
        assert "\nlicense: mit" not in card
        assert "| 0 | a\\|b |" in card
