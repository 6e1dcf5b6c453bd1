"""A causal language model and its tokenizer from a checked folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from llkd.errors import ModelNotAllowed, TeacherOutOfMemory


@dataclass(frozen=True)
class LoadedModel:
    """A model in evaluation mode, and the tokenizer of the same folder."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_causal_lm(folder: Path, *, dtype: torch.dtype, device: torch.device) -> LoadedModel:
    """Load a model that `llkd.base_models.locate` found to be a safe causal language model.

    Raises:
        ModelNotAllowed: weights are missing; random ones would stand in for them.
        TeacherOutOfMemory: the device does not hold the weights.
    """
    # transformers' types do not know that it returns two things when it is asked to.
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        folder,
        use_safetensors=True,
        trust_remote_code=False,
        local_files_only=True,
        dtype=dtype,
        output_loading_info=True,
    )
    model, report = loaded
    absent = sorted([*report["missing_keys"], *map(str, report["mismatched_keys"])])
    if absent:
        raise ModelNotAllowed(
            f"{folder.name} lacks {len(absent)} of its weights, {absent[0]} among them"
        )
    try:
        model.eval().to(device)
    except torch.OutOfMemoryError as error:
        raise TeacherOutOfMemory(f"the memory of {device} does not hold {folder.name}") from error
    tokenizer = AutoTokenizer.from_pretrained(
        folder, trust_remote_code=False, local_files_only=True, use_fast=True
    )
    return LoadedModel(model, tokenizer)
