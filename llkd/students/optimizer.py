"""How a student's weights are moved."""

import torch

from llkd.students.network import Network

# How many times as fast as the others a group of weights learns: a key beside "lr".
PACE = "pace"


def build_optimizer(network: Network, *, weight_decay: float) -> torch.optim.AdamW:
    """AdamW over the weights that learn, without decay on biases and normalisations.

    Decay pulls towards zero, which is a sensible prior for a matrix and a wrong one for
    a scale that starts at one. Both are told by their shape: they are vectors.

    The head begins from nothing while the layers below it know much already, so it learns
    at a pace of its own.

    Source: Loshchilov & Hutter (2019); rates that differ by layer: Howard & Ruder (2018).
    """
    learning = [each for each in network.parameters() if each.requires_grad]
    of_head = {id(each) for each in network.head.parameters()}
    groups = [
        {
            "params": [
                each
                for each in learning
                if (id(each) in of_head) == is_head and (each.ndim >= 2) == is_matrix
            ],
            "weight_decay": weight_decay if is_matrix else 0.0,
            PACE: network.head_pace if is_head else 1.0,
        }
        for is_head in (False, True)
        for is_matrix in (True, False)
    ]
    # Fused: one pass over each tensor instead of ten, a third of a step's time on a CPU.
    return torch.optim.AdamW(groups, fused=True)
