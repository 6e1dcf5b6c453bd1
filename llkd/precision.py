"""In which number format matrices are multiplied: a student's, or a language model's."""

from typing import Literal

import torch

Precision = Literal["auto", "float32", "bfloat16"]


def choose_precision(wish: Precision, device: torch.device) -> torch.dtype:
    """bfloat16 on a GPU that has units for it, unless told otherwise.

    A student's weights, their gradients and their moments stay in float32 (mixed precision);
    a model that only answers is held in this format. A CPU with such units saved a seventh
    of a training's time, which is not worth its rounding.
    """
    match wish:
        case "float32":
            return torch.float32
        case "bfloat16":
            return torch.bfloat16
        case "auto":
            has_units = device.type == "cuda" and torch.cuda.is_bf16_supported(
                including_emulation=False
            )
            return torch.bfloat16 if has_units else torch.float32
