"""What a student's update makes small."""

from torch import Tensor
from torch.nn import functional


def weighted_cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Return sum(w CE) / sum(w): the mean loss a unit of weight.

    Dividing by the weights keeps the step's size the same however small the weights
    are, so the learning rate means one thing for every selector.

    Args:
        logits: [B, K], float32.
        labels: [B], int64 in 0..K-1.
        weights: [B], > 0.

    Returns:
        A scalar.

    Source: ours; the paper weights each sample's loss by confidence and uncertainty.
    """
    losses = functional.cross_entropy(logits, labels, reduction="none")  # [B]
    return (weights * losses).sum() / weights.sum()
