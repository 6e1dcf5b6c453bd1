"""What a chat teacher is asked to do with every text."""

from dataclasses import dataclass

from llkd.specs.labels import Label


@dataclass(frozen=True)
class ChatTask:
    """The labels, and what is said of them.

    Attributes:
        labels: K labels; an answer's `label` is an index into them.
        instruction: what the task is about; may be empty.
        examples_per_label: how many of each label's examples are shown, the first ones.
        turn: by how many decks a text's is moved on: the same question with its labels in
            another order, under other codes. 0 but where that is to be compared.
    """

    labels: tuple[Label, ...]
    instruction: str = ""
    examples_per_label: int = 0
    turn: int = 0

    def shown(self, label: Label) -> list[str]:
        """The examples of a label that a teacher is shown; a repeated one counts once."""
        return list(dict.fromkeys(label.examples))[: self.examples_per_label]


# Stands in for a task where a server is tried before there is one.
SAMPLE_TASK = ChatTask(
    (
        Label(name="praise", description="Says that something is good", examples=("I love it.",)),
        Label(name="blame", description="Says that something is bad", examples=("I hate it.",)),
    ),
    examples_per_label=1,
)
