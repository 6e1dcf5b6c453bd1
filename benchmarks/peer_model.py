"""The exported student as peers load it: the same weights, in the forms that they read."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from benchmarks.contenders import INT8, PEERS_FOLDER
from llkd.silent_runtime import onnxruntime

MODEL, TOKENIZER, WEIGHTS, CONFIG, MANIFEST = (
    "model.onnx",
    "tokenizer.json",
    "model.safetensors",
    "config.json",
    "llkd.json",
)
TORCH_FILE = "mean_pooled_bert"
# Named so that infinity takes it for a classifier.
TORCH_CLASS = "MeanPooledBertForSequenceClassification"


class NotForPeers(Exception):
    """The model has something that peers cannot do."""


def write_for_peers(files: Mapping[str, Path], folder: Path, *, quantize: bool) -> dict[str, Path]:
    """Write a folder a form of the weights; returns them by the end of a peer's name.

    Args:
        files: of the exported model, by name.
        folder: is made.
        quantize: whether a dynamically quantized form is wanted as well.

    Raises:
        NotForPeers: the student is no BERT encoder, or divides its logits by a temperature.
    """
    manifest = json.loads(files[MANIFEST].read_text(encoding="utf-8"))
    config = json.loads(files[CONFIG].read_text(encoding="utf-8"))
    if config.get("model_type") != "bert" or manifest.get("pooling") != "mean":
        raise NotForPeers("peers that run torch know only BERT with the mean of its token states")
    if manifest.get("temperature") not in (None, 1.0):
        raise NotForPeers("the model has a temperature, which a transformers pipeline cannot apply")
    plain = folder / "float32"
    plain.mkdir(parents=True)
    for name in (MODEL, TOKENIZER):
        shutil.copyfile(files[name], plain / name)
    # transformers asks for the word "pt" in the file's head, which our export leaves out.
    save_file(load_file(files[WEIGHTS]), plain / WEIGHTS, metadata={"format": "pt"})
    _write_json(plain / CONFIG, _config(config, manifest))
    _write_json(plain / "tokenizer_config.json", _tokenizer_config(manifest))
    shutil.copyfile(PEERS_FOLDER / f"{TORCH_FILE}.py", plain / f"{TORCH_FILE}.py")
    return {"": plain, INT8: _quantized(plain, folder / "int8")} if quantize else {"": plain}


def own_copy(name: str, forms: Mapping[str, Path], folder: Path) -> Path:
    """The form that a peer's name asks for, copied: infinity writes into its model's folder."""
    form = forms[INT8 if name.endswith(INT8) else ""]
    return shutil.copytree(form, folder / name)


def _config(config: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, Any]:
    labels = dict(enumerate(manifest["labels"]))
    return {
        **config,
        "architectures": [TORCH_CLASS],
        "auto_map": {"AutoModelForSequenceClassification": f"{TORCH_FILE}.{TORCH_CLASS}"},
        "id2label": labels,
        "label2id": {label: place for place, label in labels.items()},
        "pad_token_id": manifest["pad_id"],
        # Of the servers that tokenize by themselves.
        "served_max_length": manifest["max_length"],
    }


def _tokenizer_config(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": manifest["max_length"],
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }


def _quantized(plain: Path, folder: Path) -> Path:
    """The same folder with weights in int8, whose activations are scaled batch by batch."""
    # After the runtime itself, which was told to be silent as it was loaded.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    assert onnxruntime.__version__
    shutil.copytree(plain, folder)
    quantize_dynamic(plain / MODEL, folder / MODEL, weight_type=QuantType.QInt8)
    return folder


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")
