"""The model on ONNX Runtime for peers: texts in, the scores of every label out.

It reads the folder that `benchmarks/peer_model.py` writes, named by PEER_MODEL, and needs
nothing but numpy, onnxruntime and tokenizers: it runs in the peers' own environments.
"""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer


class OnnxModel:
    """The exported student.

    Args:
        threads: of a batch; 0 is ONNX Runtime's own choice, one a core, which spin.
    """

    def __init__(self, *, threads: int = 0) -> None:
        folder = Path(os.environ["PEER_MODEL"])
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        self.labels = [config["id2label"][str(place)] for place in range(len(config["id2label"]))]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(config["served_max_length"])
        self.pad_id = config["pad_token_id"] or 0
        options = onnxruntime.SessionOptions()
        if threads:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = onnxruntime.InferenceSession(
            str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def read(self, texts: list[str]) -> list[list[int]]:
        """Token ids of each text."""
        return [encoding.ids for encoding in self.tokenizer.encode_batch_fast(texts)]

    def score(self, read: list[list[int]]) -> np.ndarray:
        """Probabilities [B, K] of one batch, padded to its longest text."""
        width = max(map(len, read))
        ids = np.full((len(read), width), self.pad_id, dtype=np.int64)
        mask = np.zeros((len(read), width), dtype=np.int64)
        for row, tokens in enumerate(read):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        (logits,) = self.session.run(None, {"input_ids": ids, "attention_mask": mask})
        shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
        return shifted / shifted.sum(axis=1, keepdims=True)

    def score_by_length(self, read: list[list[int]], *, most: int) -> np.ndarray:
        """The same in batches of neighbours in length, at most so many: little padding."""
        found = np.zeros((len(read), len(self.labels)), dtype=np.float32)
        order = sorted(range(len(read)), key=lambda place: len(read[place]))
        for start in range(0, len(order), most):
            places = order[start : start + most]
            found[places] = self.score([read[place] for place in places])
        return found

    def named(self, probabilities: np.ndarray) -> list[list[dict]]:
        """Label and score of every label, a list a text."""
        return [
            [{"label": label, "score": score} for label, score in zip(self.labels, row)]
            for row in probabilities.tolist()
        ]
