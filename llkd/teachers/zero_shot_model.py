"""In which of two ways can a model judge labels that it was never trained on?

Names of its configuration decide; nothing is loaded.
"""

from dataclasses import dataclass
from pathlib import Path

from llkd.errors import ModelNotAllowed
from llkd.model_folder import read_config

_CLASSIFIER = "ForSequenceClassification"
# An encoder's bare layers, or with the head of its first training, which is left off.
_ENCODERS = ("Model", "ForMaskedLM", "ForPreTraining")


@dataclass(frozen=True)
class Inference:
    """A classifier of natural language inference: what its outputs mean.

    Attributes:
        entailment: index of the output that says: the text entails the hypothesis.
        against: indices of the outputs that this is held against; may be none.
    """

    entailment: int
    against: tuple[int, ...]


def read_inference(folder: Path) -> Inference | None:
    """What the outputs of the folder's model mean; None for a plain encoder, which has none.

    An entailment is held against `contradiction` where there is such an output. A text that
    is neutral towards every label then still tells for which it is least absurd. Without
    one, as in models of two outputs, it is held against all the others.

    Raises:
        ModelNotAllowed: a classifier of something else, or no encoder.
    """
    config = read_config(folder)
    named = config.get("architectures")
    architectures = [str(name) for name in named] if isinstance(named, list) else []
    if any(name.endswith(_CLASSIFIER) for name in architectures):
        return _inference_of(_outputs(config), folder.name)
    if not all(name.endswith(_ENCODERS) for name in architectures):
        raise ModelNotAllowed(
            f"{folder.name} is a {', '.join(architectures)[:200]}: a zero-shot teacher is a "
            "sequence classifier of natural language inference, or a plain text encoder"
        )
    return None


def _inference_of(outputs: dict[int, str], name: str) -> Inference:
    entailing = [place for place, output in outputs.items() if output.startswith("entail")]
    if len(entailing) != 1:
        shown = ", ".join(repr(output[:40]) for output in list(outputs.values())[:10]) or "nothing"
        raise ModelNotAllowed(
            f"{name} classifies into {shown}: none of these, or more than one, is 'entailment', "
            "by which a zero-shot teacher would judge"
        )
    others = [place for place in outputs if place != entailing[0]]
    contradicting = [place for place in others if outputs[place].startswith("contradict")]
    return Inference(entailing[0], tuple(contradicting or others))


def _outputs(config: dict[str, object]) -> dict[int, str]:
    """The names of the model's outputs, in small letters, by their index."""
    named = config.get("id2label")
    if not isinstance(named, dict):
        return {}
    return {
        int(place): str(output).strip().casefold()
        for place, output in named.items()
        if str(place).isdecimal()
    }
