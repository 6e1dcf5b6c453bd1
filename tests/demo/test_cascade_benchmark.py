"""The benchmark's rivals do what their names say, and are judged on other texts than they saw."""

import numpy as np
import pytest

from benchmarks.cascade_rules import RULES, Split
from llkd.cascade import Below


def made(logits: list[list[float]], labels: list[int], *, drawn: int) -> Split:
    """The first texts certify, the others judge."""
    return Split.of(
        np.array(logits),
        np.array(labels),
        drawn=np.arange(drawn),
        others=np.arange(drawn, len(labels)),
    )


SURE, UNSURE = [3.0, 0.0], [1.0, 0.0]
# Sure answers agree; of the unsure ones, half do.
LOGITS, LABELS = [SURE] * 4 + [UNSURE] * 4, [0, 0, 0, 0, 0, 0, 1, 1]


class TestRules:
    @pytest.mark.parametrize("name", ["one threshold, observed", "by label, observed"])
    @pytest.mark.parametrize(
        ("below", "target", "coverage"),
        [
            (Below.NOBODY, 0.9, 0.5),
            (Below.NOBODY, 0.7, 1.0),
            (Below.TEACHER, 0.9, 0.5),
            (Below.TEACHER, 0.75, 1.0),
        ],
    )
    def test_without_a_bound_the_observed_agreement_decides(self, name, below, target, coverage):
        split = made(LOGITS * 2, LABELS * 2, drawn=8)
        answered = RULES[name](split, target=target, delta=0.05, below=below)
        assert answered.coverage == coverage

    def test_by_label_each_label_has_its_own_threshold(self):
        mirrored = [row[::-1] for row in LOGITS]
        # The second label agrees always, the first one as above.
        split = made((LOGITS + mirrored) * 2, (LABELS + [1] * 8) * 2, drawn=16)
        rule = RULES["by label, observed"]
        assert rule(split, target=0.9, delta=0.05, below=Below.NOBODY).coverage == 0.75

    def test_the_certified_one_answers_nothing_on_so_few_texts(self):
        split = made(LOGITS * 2, LABELS * 2, drawn=8)
        answered = RULES["certified"](split, target=0.9, delta=0.05, below=Below.NOBODY)
        assert (answered.coverage, answered.agreement) == (0.0, None)


def test_a_split_keeps_its_texts_apart():
    split = made(LOGITS * 2, LABELS * 2, drawn=8)
    assert len(split.shaping) == len(split.certifying) == 4
    assert len(split.fresh) == len(split.others) == 8
