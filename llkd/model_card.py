"""What a person should know of a model before using it: its README.md."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llkd.bootstrap import Interval
from llkd.evaluation import EvaluationReport
from llkd.model_usage import onnx_code, torch_code
from llkd.specs import OFFLINE_MODEL, Label
from llkd.types import Json

# Licences we know; of every other base model the card says that we do not.
_LICENCES = {OFFLINE_MODEL: "apache-2.0"}

_FORMS = {
    "encoder": "an encoder, the mean of its token states, and a linear layer",
    "static": "a vector a token, their weighted mean, and a linear layer; it knows no word order",
}

_LIBRARIES = {
    "encoder": "torch transformers tokenizers safetensors",
    "static": "torch tokenizers safetensors",
}


@dataclass(frozen=True)
class ModelCard:
    """All that a card states. It holds no time and no machine: equal runs give equal cards.

    Attributes:
        name: title of the card.
        labels: in the order of the outputs.
        instruction: the task as told to the teacher, may be empty.
        student: kind of the student, `encoder` or `static`.
        base_model: name of the encoder the student started from.
        base_revision: its commit, or None.
        max_length: tokens read of a text.
        teacher: name of the teacher.
        confidence_source: where the teacher's confidences came from.
        selection: the selection's spec, as JSON.
        counts: what was used, in the order to print, e.g. "Different texts" to 4000.
        scores: who was measured on gold labels, e.g. "Student"; empty without gold.
        seed: of the training.
        temperature: what the logits are divided by, fitted on the teacher's answers to texts
            that were not trained on; None without such texts.
        parent: the model whose weights the training began with; None: the base model's.
    """

    name: str
    labels: Sequence[Label]
    instruction: str
    student: str
    base_model: str
    base_revision: str | None
    max_length: int
    teacher: str
    confidence_source: str
    selection: Json
    counts: Mapping[str, int]
    scores: Mapping[str, EvaluationReport]
    seed: int
    temperature: float | None = None
    parent: str | None = None


def render_card(card: ModelCard) -> str:
    """Write the card as Markdown with the front matter that model hubs read."""
    sections = (
        _front_matter(card),
        f"# {_inline(card.name)}",
        _summary(card),
        _labels(card),
        _training(card),
        _scores(card),
        _use(card),
    )
    return "\n\n".join(sections) + "\n"


def _front_matter(card: ModelCard) -> str:
    licence = _LICENCES.get(card.base_model)
    lines = [
        "---",
        "pipeline_tag: text-classification",
        # JSON strings are YAML strings, whatever the name holds.
        f"base_model: {json.dumps(card.base_model)}",
        *([f"license: {licence}"] if licence else []),
        "tags:\n- distillation\n- llkd",
        "---",
    ]
    return "\n".join(lines)


def _summary(card: ModelCard) -> str:
    licence = _LICENCES.get(card.base_model)
    revision = f" at revision `{card.base_revision}`" if card.base_revision else ""
    terms = (
        f"The base model's licence is {licence}."
        if licence
        else "The base model's licence is not known here and applies to this model: look it up."
    )
    return (
        f"A text classifier with {len(card.labels)} classes, distilled from the pseudo-labels of "
        f"a teacher by LLKD (arXiv 2411.08028).\n\n"
        f"- Made as: {_FORMS[card.student]}.\n"
        f"- Base model: {_inline(card.base_model)}{revision}. {terms}\n"
        f"- Reads the first {card.max_length} tokens of a text; the rest is left out.\n"
        f"{_scale(card)}"
        f"- Pseudo-labels carry the teacher's mistakes and biases, and so does this model."
    )


def _scale(card: ModelCard) -> str:
    if card.temperature is None:
        return ""
    return (
        f"- Its logits are divided by {card.temperature:.3f}, the temperature at which its scores "
        f"tell best how often the teacher says the same; fitted on texts that were not trained "
        f"on.\n"
    )


def _labels(card: ModelCard) -> str:
    rows = [
        (str(place), _inline(label.name), _inline(label.description))
        for place, label in enumerate(card.labels)
    ]
    task = f"Task: {_inline(card.instruction)}\n\n" if card.instruction.strip() else ""
    return f"## Labels\n\n{task}{_table(('#', 'Label', 'Description'), rows)}"


def _training(card: ModelCard) -> str:
    selection = json.dumps(card.selection, sort_keys=True, ensure_ascii=False)
    rows = [
        *([("Started from the model", _inline(card.parent))] if card.parent else []),
        ("Teacher", _inline(card.teacher)),
        ("Source of its confidences", _inline(card.confidence_source)),
        ("Selection", _inline(selection)),
        ("Seed", str(card.seed)),
        *((_inline(name), f"{count:,}") for name, count in card.counts.items()),
    ]
    return f"## Training\n\n{_table(('What', 'Value'), rows)}"


def _scores(card: ModelCard) -> str:
    if not card.scores:
        return "## Evaluation\n\nNo gold labels were given: its accuracy is not known."
    rows = [
        (
            _inline(name),
            f"{report.rows:,}",
            _percent(report.accuracy),
            _percent(report.macro_f1),
            f"{report.calibration.ece:.3f}" if report.calibration else "unknown",
        )
        for name, report in card.scores.items()
    ]
    head = ("Who", "Rows", "Accuracy", "Macro-F1", "ECE")
    return (
        f"## Evaluation\n\nAgainst gold labels, with 95 % bootstrap intervals.\n\n"
        f"{_table(head, rows)}"
    )


def _use(card: ModelCard) -> str:
    return (
        "## Files\n\n"
        "`model.onnx` maps `input_ids` and `attention_mask` ([batch, length], int64) to `logits`; "
        "their softmax, after division by `temperature` of `llkd.json` if one is set, is the "
        "probability of each label in the order above. `tokenizer.json` makes the ids. "
        "`model.safetensors` and `config.json` hold the same weights for further training. "
        "An archive of one format leaves out the other's.\n\n"
        "## Use\n\n"
        "In the folder of these files, with `pip install onnxruntime tokenizers numpy` "
        "(`ORT_DISABLE_TELEMETRY=1` in the environment keeps ONNX Runtime from reporting to its "
        f"makers):\n\n```python\n{onnx_code()}```\n\n"
        f"From the safetensors, with `pip install {_LIBRARIES[card.student]}`:\n\n"
        f"```python\n{torch_code(card.student)}```"
    )


def _percent(interval: Interval) -> str:
    return f"{interval.value:.1%} ({interval.low:.1%} to {interval.high:.1%})"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _inline(text: str) -> str:
    """The text as one line of literal Markdown: users wrote it, and it may hold anything."""
    line = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(
        f"\\{character}" if character in r"\`*_[]|#~>!$" else character for character in line
    )
