"""From a model's logits to the log-probabilities of tokens."""

import torch

from llkd.types import FloatArray, IntArray

# A vocabulary has up to a quarter of a million entries; that many rows in float32 at once
# stay below 256 MB.
_ROWS_AT_ONCE = 256


def log_probabilities(logits: torch.Tensor, *, rows: IntArray, tokens: IntArray) -> FloatArray:
    """[S] log-probabilities, in nats, of `tokens` [S] at `rows` [S] of logits [R, V]."""
    chosen = torch.from_numpy(rows).to(logits.device)
    asked = torch.from_numpy(tokens).to(logits.device)
    totals = torch.cat(
        [part.float().logsumexp(dim=-1) for part in torch.split(logits, _ROWS_AT_ONCE)]
    )
    found: FloatArray = (logits[chosen, asked].double() - totals[chosen].double()).cpu().numpy()
    return found
