"""How far a server's answers are from the float32 model's, and from its own in other company."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from benchmarks.contenders import Contender
from benchmarks.load_generator import AskEach, LoadGenerator, Reply
from benchmarks.running import Running
from benchmarks.serving_figures import OK
from llkd.calibration import softmax
from llkd.silent_runtime import onnxruntime
from llkd.types import FloatArray, IntArray

# Texts of a request in mixed company, and how many such requests are under way at a time.
MOST_TOGETHER = 16
TOGETHER = 8


class NoAnswer(Exception):
    """A server did not answer 200 to a text that the others answer."""


@dataclass(frozen=True)
class Drift:
    """Of one server.

    Attributes:
        agreement: share of texts, each asked alone, with the float32 model's label.
        off_by: the largest difference of a probability from the float32 model's.
        mixed: answers in mixed company that were compared with the same text's alone.
        flips: of these, those with another label.
        moved_by: the largest difference of a probability between the two.
    """

    agreement: float
    off_by: float
    mixed: int
    flips: int
    moved_by: float


def float32_probabilities(files: Mapping[str, Path], texts: Sequence[str]) -> FloatArray:
    """[N, K] of the exported model, each text alone, without anything of our predictor."""
    manifest = json.loads(files["llkd.json"].read_text(encoding="utf-8"))
    tokenizer = Tokenizer.from_file(str(files["tokenizer.json"]))
    tokenizer.no_padding()
    tokenizer.enable_truncation(manifest["max_length"])
    session = onnxruntime.InferenceSession(
        str(files["model.onnx"]), providers=["CPUExecutionProvider"]
    )
    rows = []
    for text in texts:
        ids = np.array([tokenizer.encode(text).ids], dtype=np.int64)
        fed = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        rows.append(session.run(None, fed)[0][0])
    return softmax(np.array(rows, dtype=np.float64), temperature=manifest["temperature"] or 1.0)


def measure_drift(
    server: Running,
    generator: LoadGenerator,
    texts: Sequence[str],
    *,
    labels: Sequence[str],
    reference: FloatArray,
    mixes: int,
    seed: int,
) -> Drift:
    """Ask about each text alone, then about random ones together, several requests at once.

    Args:
        reference: [N, K], the float32 model's, labels in the order of `labels`.
        mixes: requests with 1 to 16 of the texts each.

    Raises:
        NoAnswer: a request was not answered 200.
    """
    alone = _ask(server, generator, [[text] for text in texts], labels, at_once=1)
    rng = random.Random(seed)
    drawn = [rng.choices(range(len(texts)), k=rng.randint(1, MOST_TOGETHER)) for _ in range(mixes)]
    together = [[texts[place] for place in places] for places in drawn]
    mixed = _ask(server, generator, together, labels, at_once=TOGETHER)
    places = np.array([place for each in drawn for place in each], dtype=np.int64)
    return compare(alone, mixed, places=places, reference=reference)


def compare(
    alone: FloatArray, mixed: FloatArray, *, places: IntArray, reference: FloatArray
) -> Drift:
    """Drift of probabilities [N, K] alone and [M, K] mixed, whose rows are texts `places`."""
    before = alone[places]
    return Drift(
        agreement=float(np.mean(alone.argmax(axis=1) == reference.argmax(axis=1))),
        off_by=float(np.abs(alone - reference).max()),
        mixed=len(places),
        flips=int(np.sum(mixed.argmax(axis=1) != before.argmax(axis=1))),
        moved_by=float(np.abs(mixed - before).max()),
    )


def _ask(
    server: Running,
    generator: LoadGenerator,
    requests: Sequence[Sequence[str]],
    labels: Sequence[str],
    *,
    at_once: int,
) -> FloatArray:
    """Probabilities of all texts of all requests, [N, K]."""
    prepared = [server.request(*texts) for texts in requests]
    replies = generator.ask_each(AskEach(server.port, prepared, at_once))
    return np.array(
        [[scores[label] for label in labels] for scores in _all_scores(server.contender, replies)]
    )


def _all_scores(contender: Contender, replies: Iterable[Reply]) -> Iterable[Mapping[str, float]]:
    for reply in replies:
        if reply.shot.status != OK:
            said = reply.body[:200].decode("utf-8", "replace")
            raise NoAnswer(f"{contender.name} answered {reply.shot.status}: {said}")
        yield from contender.scores(json.loads(reply.body))
