"""What decides a chat teacher's answers, as one digest."""

import hashlib
import json

from llkd.teachers.chat.prompt import RECIPE_VERSION
from llkd.teachers.chat.task import ChatTask


def chat_fingerprint(task: ChatTask, *, base_url: str, model: str, rung: str, answers: int) -> str:
    """Sha256 over the recipe, the server and its model, the rung and all that is told.

    The key is left out: it decides who pays, not what is answered.

    Args:
        rung: the name of the way in which it is asked.
        answers: how many answers to one text are read together.
    """
    labels = [[label.name, label.description, *label.examples] for label in task.labels]
    decides = [
        "openai",
        RECIPE_VERSION,
        [base_url, model],
        [rung, answers],
        task.instruction,
        task.examples_per_label,
        labels,
    ]
    if task.turn:
        decides.append(task.turn)
    return hashlib.sha256(json.dumps(decides).encode()).hexdigest()
