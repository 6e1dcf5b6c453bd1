"""The network of an encoder student: a pretrained encoder, mean pooling, one linear layer."""

import json
import math
from pathlib import Path
from typing import Self

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from llkd.errors import ModelNotAllowed
from llkd.model_folder import CONFIG
from llkd.students.network import DESCRIPTION, WEIGHTS, Network


class EncoderClassifier(Network):
    """A pretrained encoder, mean pooling, dropout, and one linear layer.

    The mean over a text's tokens is pooled, not the first token: sentence encoders such
    as MiniLM were trained that way, and their untrained CLS pooler is a poor start.
    """

    kind = "encoder"
    # At the pace of the pretrained layers a head of many classes is far from done when a
    # budget of a hundred steps is.
    head_pace = 10.0

    def __init__(self, backbone: PreTrainedModel, *, class_count: int) -> None:
        super().__init__()
        # Mean pooling never reads the pooler; its weights would be saved and never learn.
        if getattr(backbone, "pooler", None) is not None:
            backbone.register_module("pooler", None)
        self.backbone = backbone
        self.dropout = nn.Dropout(float(getattr(backbone.config, "hidden_dropout_prob", 0.1)))
        self.head = nn.Linear(backbone.config.hidden_size, class_count)
        # The layers that learn; None for all of them.
        self._learning: list[nn.Module] | None = None

    @classmethod
    def from_base(cls, folder: Path, *, class_count: int, seed: int) -> Self:
        """Start from a base model that `llkd.base_models.locate` found safe.

        The head depends on the seed alone, so equal seeds give equal students.

        Raises:
            ModelNotAllowed: the weights do not fit the configuration.
        """
        # A library's progress bar has no place in a worker's log.
        disable_progress_bar()  # type: ignore[no-untyped-call]
        backbone, loading = AutoModel.from_pretrained(
            folder,
            use_safetensors=True,
            trust_remote_code=False,
            local_files_only=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
        missing = [key for key in loading["missing_keys"] if not key.startswith("pooler.")]
        if missing or loading["mismatched_keys"]:
            raise ModelNotAllowed(
                f"the weights of {folder.name} do not fit its {CONFIG}: "
                f"{len(missing)} missing, {len(loading['mismatched_keys'])} of another shape"
            )
        model = cls(backbone, class_count=class_count)
        model.begin_head(seed=seed)
        return model

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, in evaluation mode."""
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        backbone = AutoModel.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
        model = cls(backbone, class_count=description["class_count"])
        model.load_state_dict(load_file(folder / WEIGHTS))
        return model.eval()

    def save_config(self, folder: Path) -> None:
        """Write the encoder's own config.json."""
        self.backbone.config.to_json_file(folder / CONFIG)

    def train_top(self, share: float) -> None:
        """Let only the head and the top layers learn, this share of them, rounded up.

        The layers below keep what pretraining taught them, without dropout, and cost no
        backward pass. An encoder whose layers share their weights learns as a whole.
        """
        layers = self._layers()
        if layers is None:
            return
        count = math.ceil(len(layers) * share)
        self._learning = list(layers)[len(layers) - count :]
        self.backbone.requires_grad_(requires_grad=False)
        for layer in self._learning:
            layer.requires_grad_(requires_grad=True)

    def train(self, mode: bool = True) -> Self:  # noqa: FBT001, FBT002 - as torch has it
        """As torch has it, but the layers that do not learn stay in evaluation mode."""
        super().train(mode)
        if self._learning is not None:
            self.backbone.train(mode=False)
            for layer in self._learning:
                layer.train(mode)
        return self

    def _layers(self) -> nn.ModuleList | None:
        """The encoder's stack, wherever its family keeps it; None if there is not one a layer."""
        depth = self.backbone.config.num_hidden_layers
        stacks = (each for each in self.backbone.modules() if isinstance(each, nn.ModuleList))
        return next((stack for stack in stacks if len(stack) == depth), None)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[B, K] logits."""
        hidden = self.backbone(input_ids=input_ids, attention_mask=attention_mask)
        # Summed in float32 also under bfloat16 autocast: a long text's sum would round away.
        states = hidden.last_hidden_state.float()  # [B, T, H]
        mask = attention_mask.unsqueeze(-1).to(states.dtype)  # [B, T, 1]
        pooled = (states * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1.0)  # [B, H]
        logits: Tensor = self.head(self.dropout(pooled))
        return logits.float()
