"""What the audit of a job's pseudo-labels lists, as it is stored."""

import json
from collections.abc import Mapping
from typing import Any

from core.lifecycle import Stage
from llkd.audit import Judgement, judge, overlapping_labels
from llkd.dynamics import NEVER, Dynamics
from llkd.estimated_confidence import ConfidenceEstimate
from llkd.held_out import find_held_out, trained_places
from llkd.near_duplicates import contradictions
from worker.confidence import load_estimate
from worker.job import Job
from worker.pool import Answers, load_answers, load_pool
from worker.protocol import Json

# Of each list; the totals count all.
MOST_LISTED = 1000
# The most doubtful texts are looked up among all others.
MOST_LOOKED_UP = 2000


def audit_labels(job: Job, outputs: Mapping[Stage, Json]) -> str:
    """Judge the texts that were trained on, and store the lists; texts go by their rows."""
    answers = load_answers(job, outputs)
    dynamics = _dynamics(job, outputs, answers)
    estimate = load_estimate(job.artifacts, outputs[Stage.LABEL])
    judgement = judge(answers.pool, dynamics, estimate)
    # What a person has said is nothing to doubt the teacher for.
    teachers = answers.pool.is_teachers
    doubted = judgement.doubted[teachers[judgement.doubted]]
    unfitting = judgement.unfitting[teachers[judgement.unfitting]]
    listing = _Listing(answers, job.spec.label_names, judgement, dynamics, estimate)
    lists = {
        "likely_wrong": [listing.doubt(place) for place in doubted[:MOST_LISTED]],
        "contradictions": [
            listing.pair(each.first, each.second) | {"similarity": each.similarity}
            for each in contradictions(
                answers.pool, doubted[:MOST_LOOKED_UP], seed=job.spec.training.seed
            )
        ],
        "overlapping_labels": [
            {
                "labels": [listing.names[each.first], listing.names[each.second]],
                "texts": each.texts,
                "share": each.share,
            }
            for each in overlapping_labels(answers.pool, dynamics)
        ],
        "unfitting": [listing.unfitting(place) for place in unfitting[:MOST_LISTED]],
    }
    totals = {name: len(entries) for name, entries in lists.items()}
    totals |= {"likely_wrong": len(doubted), "unfitting": len(unfitting)}
    content = {
        "texts": int(teachers.sum()),
        "read": int(((dynamics.readings > 0) & teachers).sum()),
        "totals": totals,
        "lists": {name: entries[:MOST_LISTED] for name, entries in lists.items()},
    }
    return job.artifacts.put_bytes(json.dumps(content, allow_nan=False).encode())


def _dynamics(job: Job, outputs: Mapping[Stage, Json], answers: Answers) -> Dynamics:
    """Of the whole pool; texts that were held out have no readings."""
    trained_on = load_pool(job, outputs)
    held = find_held_out(trained_on, seed=job.spec.training.seed)
    learned = Dynamics.load(job.artifacts.path(outputs[Stage.TRAIN]["dynamics"]))
    return learned.within(trained_places(trained_on, held), size=len(answers.pool))


class _Listing:
    """Entries as they are told, about places in the pool."""

    def __init__(
        self,
        answers: Answers,
        names: tuple[str, ...],
        judgement: Judgement,
        dynamics: Dynamics,
        estimate: ConfidenceEstimate | None,
    ) -> None:
        self.names = names
        self._answers = answers
        self._judgement = judgement
        self._dynamics = dynamics
        self._estimate = estimate

    def doubt(self, place: int) -> Json:
        return self._text(place) | {
            "suggested": self.names[self._judgement.suggested[place]],
            "suspicion": float(self._judgement.suspicion[place]),
            **self._evidence(place),
        }

    def unfitting(self, place: int) -> Json:
        return self._text(place) | {
            "certainty": float(self._judgement.certainty[place]),
            **self._evidence(place),
        }

    def pair(self, first: int, second: int) -> Json:
        return {"first": self._text(first), "second": self._text(second)}

    def _text(self, place: int) -> Json:
        answers = self._answers
        return {
            "index": int(answers.rows[place]),
            "label": self.names[answers.pool.labels[place]],
        }

    def _evidence(self, place: int) -> Json:
        dynamics, estimate = self._dynamics, self._estimate
        predicted = int(dynamics.predicted[place])
        return {
            "teacher_confidence": _known(self._answers.pool.confidence[place]),
            "estimated_confidence": None if estimate is None else _known(estimate.values[place]),
            "student_label": None if predicted == NEVER else self.names[predicted],
            "student_likelihood": _known(dynamics.likelihood[place]),
            "student_spread": _known(dynamics.spread[place]),
            "readings": int(dynamics.readings[place]),
            "agreed": int(dynamics.agreed[place]),
        }


def _known(value: Any) -> float | None:
    number = float(value)
    return None if number != number else number
