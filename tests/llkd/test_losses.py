import math

import pytest
import torch

from llkd.losses import weighted_cross_entropy


class TestWeightedCrossEntropy:
    def test_by_hand(self) -> None:
        logits = torch.log(torch.tensor([[0.5, 0.5], [0.25, 0.75]]))
        loss = weighted_cross_entropy(logits, torch.tensor([0, 0]), torch.tensor([1.0, 3.0]))
        assert loss.shape == ()
        assert loss.item() == pytest.approx((math.log(2) + 3 * math.log(4)) / 4)

    def test_equal_weights_give_the_mean(self) -> None:
        logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
        expected = torch.nn.functional.cross_entropy(logits, labels)
        loss = weighted_cross_entropy(logits, labels, torch.full((6,), 0.2))
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)

    def test_scaling_all_weights_changes_nothing(self) -> None:
        logits, labels = torch.randn(6, 4), torch.tensor([0, 1, 2, 3, 0, 1])
        weights = torch.rand(6) + 0.1
        one = weighted_cross_entropy(logits, labels, weights)
        other = weighted_cross_entropy(logits, labels, weights * 1e-3)
        assert one.item() == pytest.approx(other.item(), rel=1e-5)
