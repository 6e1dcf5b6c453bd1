"""A network as it was saved, whatever its kind."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from llkd.students.encoder import EncoderClassifier
from llkd.students.network import DESCRIPTION, Network
from llkd.students.static import StaticClassifier
from llkd.tokens import TextReader

_KINDS: dict[str, type[Network]] = {
    network.kind: network for network in (EncoderClassifier, StaticClassifier)
}


@dataclass(frozen=True)
class Saved:
    """What `Student.save_model` wrote.

    Attributes:
        network: in evaluation mode, on the CPU, in float32.
        reader: cuts texts where training cut them.
        max_length: tokens that are read of a text.
        pooling: how token states become one vector.
    """

    network: Network
    reader: TextReader
    max_length: int
    pooling: str

    @classmethod
    def load(cls, folder: Path) -> Self:
        description = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        max_length = description["max_length"]
        # Students of the first releases are encoders and do not say so.
        network = _KINDS[description.get("kind", EncoderClassifier.kind)]
        return cls(
            network=network.load(folder),
            reader=TextReader(folder, max_length=max_length),
            max_length=max_length,
            pooling=description["pooling"],
        )
