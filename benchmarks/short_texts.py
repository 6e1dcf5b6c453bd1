"""As many different short texts as are asked for, with nothing but a request in each."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

from demo.phrases import Intent, load_frames, load_intents
from demo.wording import Chooser


def short_texts(count: int, *, seed: int) -> Iterator[str]:
    """`count` texts of about a dozen words; a running ticket number makes each different."""
    rng = random.Random(seed)
    intents, frames = load_intents(), load_frames()
    chooser = Chooser(rng, held_out_share=0.0)
    shares = [intent.share for intent in intents]
    for number in range(count):
        intent: Intent = rng.choices(intents, weights=shares)[0]
        ask = chooser.fill(rng.choice(intent.asks.seen), frames.slots)
        yield f"{chooser.pick(frames.greetings)}, {ask} (ticket {number})"


def write_texts(path: Path, count: int, *, seed: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for text in short_texts(count, seed=seed):
            file.write(json.dumps({"text": text}) + "\n")
