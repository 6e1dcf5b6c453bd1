"""A model's first batches, before anyone waits for it."""

import time

from app.predict.pace import Pace
from llkd.predictor import MOST_ROWS, Predictor

# Short, of a sentence's length, and of a paragraph's: the shapes that most texts have.
WORDS = (1, 12, 40)
# A model is timed on what it has already done once.
TURNS = 2


def warm(predictor: Predictor, pace: Pace) -> None:
    """Let the model answer batches of a few shapes, and set its pace by them.

    The first batch of a shape sets memory aside and takes longer than all that follow.
    """
    for words in WORDS:
        tokens = predictor.read("word " * words)
        for rows in (1, MOST_ROWS):
            for turn in range(TURNS):
                began = time.perf_counter()
                predictor.answer([tokens] * rows)
                if turn > 0:
                    seconds = time.perf_counter() - began
                    pace.count(seconds=seconds, tokens=len(tokens) * rows)
