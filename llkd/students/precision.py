"""In which number format a student's matrices are multiplied."""

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def choose_precision(wish: Precision, device: torch.device) -> torch.dtype:
    """bfloat16 where the device has units for its matrices, unless told otherwise.

    Weights, their gradients and their moments stay in float32 (mixed precision). Without
    such units bfloat16 is slower than float32, and `auto` does not take it.
    """
    match wish:
        case "float32":
            return torch.float32
        case "bfloat16":
            return torch.bfloat16
        case "auto":
            has_units = (
                torch.cuda.is_bf16_supported(including_emulation=False)
                if device.type == "cuda"
                else bool(torch.cpu.get_capabilities().get("amx_bf16"))
            )
            return torch.bfloat16 if has_units else torch.float32
