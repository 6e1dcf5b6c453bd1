"""Puts a person's labels in the place of a teacher's answers."""

from collections.abc import Sequence

from core.label_files import PERSON, LabelEntry, Role, is_persons
from llkd.types import AnswerStatus
from worker.job import Job
from worker.protocol import Json
from worker.rewriting import rewritten


def correct_answers(job: Job, output: Json) -> Json:
    """The label stage's output with the job's corrections in its labels.

    Those of the job that it goes from stand in them already. Only texts to train on are
    corrected; the API refuses others, for what measures or certifies is about the teacher.
    """
    earlier = output.get("corrections")
    if job.row.corrections is None:
        none_given = {"given": 0, "changed": 0}
        return output if earlier is None else output | {"corrections": earlier | none_given}
    wanted = {each["index"]: each["label"] for each in job.row.corrections}
    correcting = _Correcting(wanted)
    labels = rewritten(job.artifacts, output["labels"], correcting.of)
    told = {"rows": correcting.rows, "given": len(wanted), "changed": correcting.changed}
    return output | {"labels": labels, "corrections": told}


class _Correcting:
    """Corrects entries.

    Attributes:
        rows: entries whose label is a person's, of whatever job.
        changed: those that had another label before, or none.
    """

    def __init__(self, wanted: dict[int, str]) -> None:
        self.rows = 0
        self.changed = 0
        self._wanted = wanted

    def of(self, first: int, entries: Sequence[Json]) -> list[LabelEntry]:
        return [self._corrected(first + place, entry) for place, entry in enumerate(entries)]

    def _corrected(self, place: int, entry: Json) -> LabelEntry:
        label = self._wanted.get(place)
        if label is None:
            self.rows += is_persons(entry)
            return LabelEntry(**entry)
        self.rows += 1
        self.changed += label != entry["label"]
        return LabelEntry(
            Role(entry["role"]),
            AnswerStatus.ANSWERED.value,
            label=label,
            confidence=1.0,
            confidence_source=PERSON,
        )
