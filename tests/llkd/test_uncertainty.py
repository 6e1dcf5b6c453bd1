import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from llkd.types import FloatArray
from llkd.uncertainty import normalized_entropy


class TestNormalizedEntropy:
    def test_one_value_a_row(self) -> None:
        assert normalized_entropy(np.full((5, 3), 1 / 3)).shape == (5,)

    @pytest.mark.parametrize("classes", [2, 3, 7, 1000])
    def test_uniform_is_one_and_certain_is_zero(self, classes: int) -> None:
        rows = np.stack([np.full(classes, 1 / classes), np.eye(classes)[0]])
        assert normalized_entropy(rows) == pytest.approx([1, 0])

    def test_by_hand(self) -> None:
        # -(.5 ln .5 + .25 ln .25 x 2) / ln 3
        assert normalized_entropy(np.array([[0.5, 0.25, 0.25]])) == pytest.approx([0.946395])

    def test_one_class_has_no_uncertainty_to_measure(self) -> None:
        with pytest.raises(ValueError, match="two classes"):
            normalized_entropy(np.ones((3, 1)))

    def test_no_rows_give_no_values(self) -> None:
        assert normalized_entropy(np.empty((0, 3))).shape == (0,)

    @given(arrays(np.float64, (4, 5), elements=st.floats(1e-300, 1)))
    def test_it_stays_in_its_interval(self, rows: FloatArray) -> None:
        values = normalized_entropy(rows / rows.sum(axis=1, keepdims=True))
        assert ((values >= 0) & (values <= 1)).all()
