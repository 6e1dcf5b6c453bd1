"""A causal language model and its tokenizer from a checked folder, on the best device here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from llkd.errors import ModelNotAllowed

DtypeName = Literal["auto", "float32", "bfloat16", "float16"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode, and the tokenizer of the same folder."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def choose_device() -> torch.device:
    """The GPU where one is visible, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def resolve_dtype(name: DtypeName, *, device: torch.device) -> Literal["float32", "bfloat16", "float16"]:
    """The number format that `auto` stands for: exact on a CPU, half as wide on a GPU.

    Part of a teacher's fingerprint: bfloat16 moves probabilities by one or two hundredths.
    """
    if name == "auto":
        return "bfloat16" if device.type == "cuda" else "float32"
    return name


def load_causal_lm(folder: Path, *, dtype: DtypeName, device: torch.device) -> LoadedModel:
    """Load a model that `llkd.base_models.locate` found to be a safe causal language model.

    Raises:
        ModelNotAllowed: weights are missing; random ones would stand in for them.
    """
    model, report = AutoModelForCausalLM.from_pretrained(
        folder,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        dtype=_DTYPES[resolve_dtype(dtype, device=device)],
        output_loading_info=True,
    )
    absent = sorted([*report["missing_keys"], *map(str, report["mismatched_keys"])])
    if absent:
        raise ModelNotAllowed(
            f"{folder.name} lacks {len(absent)} of its weights, {absent[0]} among them"
        )
    # transformers' own `eval` and `to` have no types; torch's, which they wrap, do.
    cast(torch.nn.Module, model).eval().to(device)
    tokenizer = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True, use_fast=True
    )
    return LoadedModel(model, tokenizer)
