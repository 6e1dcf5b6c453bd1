"""How a model is run without this project: the code that its card shows."""

_ONNX = """\
import json
import os

import numpy as np

# It reports to its makers unless it is told not to before it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime
from tokenizers import Tokenizer

about = json.load(open("llkd.json", encoding="utf-8"))
tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.enable_truncation(about["max_length"])
tokenizer.enable_padding(pad_id=about["pad_id"])
session = onnxruntime.InferenceSession("model.onnx")


def classify(texts):
    read = tokenizer.encode_batch(texts)
    ids = np.array([text.ids for text in read], dtype=np.int64)
    mask = np.array([text.attention_mask for text in read], dtype=np.int64)
    (logits,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    scores = np.exp((logits - logits.max(axis=1, keepdims=True)) / (about["temperature"] or 1))
    return scores / scores.sum(axis=1, keepdims=True)


print(dict(zip(about["labels"], classify(["Where is my parcel?"])[0].tolist())))
"""

_TORCH = """\
import json

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
{imports}
about = json.load(open("llkd.json", encoding="utf-8"))
tokenizer = Tokenizer.from_file("tokenizer.json")
tokenizer.enable_truncation(about["max_length"])
tokenizer.enable_padding(pad_id=about["pad_id"])
weights = load_file("model.safetensors")
{network}

@torch.no_grad()
def classify(texts):
    read = tokenizer.encode_batch(texts)
    ids = torch.tensor([text.ids for text in read])
    mask = torch.tensor([text.attention_mask for text in read])
{forward}
    logits = torch.nn.functional.linear(mean, weights["head.weight"], weights["head.bias"])
    return torch.softmax(logits / (about["temperature"] or 1), dim=1)


print(dict(zip(about["labels"], classify(["Where is my parcel?"])[0].tolist())))
"""

_ENCODER = {
    "imports": "from transformers import AutoConfig, AutoModel\n",
    "network": """\
encoder = AutoModel.from_config(AutoConfig.from_pretrained(".")).float().eval()
own = {name: each for name, each in weights.items() if name.startswith("backbone.")}
# Its pooler, where it has one, is not used and was not saved.
encoder.load_state_dict(
    {name.removeprefix("backbone."): each for name, each in own.items()}, strict=False
)
""",
    "forward": """\
    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)""",
}

_STATIC = {
    "imports": "",
    "network": "",
    "forward": """\
    shares = weights["log_weights.weight"][ids].exp() * mask[..., None]
    mean = (weights["vectors.weight"][ids] * shares).sum(1) / shares.sum(1)
    mean = torch.nn.functional.layer_norm(
        mean, mean.shape[1:], weights["norm.weight"], weights["norm.bias"]
    )""",
}

_NETWORKS = {"encoder": _ENCODER, "static": _STATIC}


def onnx_code() -> str:
    """Python that answers with ONNX Runtime, tokenizers and numpy, in the folder of the files."""
    return _ONNX


def torch_code(student: str) -> str:
    """Python that answers with PyTorch, and for an encoder transformers, from the safetensors.

    Args:
        student: kind of the student, `encoder` or `static`.
    """
    return _TORCH.format(**_NETWORKS[student])
