"""Does an exported folder answer as the student it was made from?"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from llkd.engines.base import REFERENCE, EngineName
from llkd.errors import ExportMismatch
from llkd.types import FloatArray

PARITY_ROWS = 64
TOLERANCE = 1e-4
# Loading takes seconds, 64 texts of 8192 tokens on a slow machine take minutes.
_PATIENCE = timedelta(minutes=10)
_GROUP_SIZES = range(1, 9)

# Where tokenizers, padding and masks go wrong, if they do.
_ODD_TEXTS = (
    "",
    " ",
    "a",
    "?!",
    "\u200b",
    "\ufeffbyte order mark",
    "tab\tline\nreturn\r\nend",
    "Crème brûlée, naïve façade",
    "Cre\u0300me bru\u0302le\u0301e",
    "\ufb01ne ligatures and \uff26\uff35\uff2c\uff2c width",
    "\u0130stanbul \u0131\u011fd\u0131r STRASSE straße",
    "日本語のテキストです。",
    "نص عربي من اليمين إلى اليسار",
    "हिन्दी में एक वाक्य",
    "👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽",
    "stacked " + "e\u0301\u0323\u0308" * 40,
    "x" * 300,
    "[CLS] [SEP] [MASK] [PAD] <s> </s> <mask> <pad>",
    "one two three " * 7,
    "a much longer text, which every model cuts somewhere, " * 2000,
)


@dataclass(frozen=True)
class Parity:
    """How far the export and its student lie apart.

    Attributes:
        rows: texts compared.
        max_difference: largest gap of two probabilities.
        argmax_agreement: share of texts with the same label.
    """

    rows: int
    max_difference: float
    argmax_agreement: float


def check_parity(
    folder: Path,
    texts: Sequence[str],
    reference: Callable[[Sequence[str]], FloatArray],
) -> Parity:
    """Compare 64 texts, in batches of 1 to 8, in a fresh process without torch.

    Args:
        folder: the exported model.
        texts: real ones to draw from; odd ones are added.
        reference: N texts to [N, K] probabilities of the trained student, in float32.

    Raises:
        ExportMismatch: a probability differs by more than 1e-4, the fresh process failed,
            or it needed training libraries.
    """
    probes = probe_texts(texts)
    sizes, rest = cycle(_GROUP_SIZES), iter(probes)
    groups = list(iter(lambda: list(islice(rest, next(sizes))), []))
    exported = answer_afresh(folder, groups)
    trained = np.asarray(reference(probes), dtype=np.float64)
    if exported.shape != trained.shape or not np.isfinite(exported).all():
        raise ExportMismatch(
            f"the exported model answers {exported.shape}, the trained one {trained.shape}, "
            f"or not every answer is a finite number"
        )
    parity = Parity(
        rows=len(probes),
        max_difference=float(np.abs(exported - trained).max()),
        argmax_agreement=float((exported.argmax(axis=1) == trained.argmax(axis=1)).mean()),
    )
    if not parity.max_difference <= TOLERANCE:
        raise ExportMismatch(
            f"the exported model's probabilities are up to {parity.max_difference:.2g} away from "
            f"the trained one's over {parity.rows} texts; at most {TOLERANCE:g} is accepted"
        )
    return parity


def probe_texts(texts: Sequence[str]) -> list[str]:
    """Pick 64: twenty odd ones, and real ones from the shortest to the longest, repeated if few.

    The order mixes short and long, so that neighbours in a group differ.
    """
    wanted = PARITY_ROWS - len(_ODD_TEXTS)
    by_length = sorted(set(texts), key=lambda text: (len(text), text)) or ["text"]
    places = np.linspace(0, len(by_length) - 1, num=wanted).round().astype(int)
    probes = [by_length[place] for place in places] + list(_ODD_TEXTS)
    order = np.random.default_rng(0).permutation(len(probes))
    return [probes[place] for place in order]


def answer_afresh(
    folder: Path, groups: Sequence[Sequence[str]], *, engine: EngineName = REFERENCE
) -> FloatArray:
    """[N, K], what the exported model answers to N texts, a group at a time, in a fresh process.

    Raises:
        ExportMismatch: the process failed, or it needed training libraries.
    """
    try:
        done = subprocess.run(
            [sys.executable, "-m", "llkd.parity", str(folder), engine],
            input=json.dumps({"groups": groups}).encode(),
            capture_output=True,
            timeout=_PATIENCE.total_seconds(),
            check=True,
        )
    except subprocess.CalledProcessError as error:
        last_words = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        # A process that a signal ended has no last words: its exit code is all that is known.
        raise ExportMismatch(
            "the exported model cannot be loaded: "
            + (" ".join(last_words) or f"its process ended with {error.returncode}")
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ExportMismatch(
            f"the exported model gave no answer within {_PATIENCE.total_seconds():.0f} s"
        ) from error
    answer = json.loads(done.stdout)
    if answer["heavy_modules"]:
        raise ExportMismatch(f"the predictor imports {', '.join(answer['heavy_modules'])}")
    return np.asarray(answer["probabilities"], dtype=np.float64)
