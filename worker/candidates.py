"""The students that one job trains, and which of them it keeps."""

from collections.abc import Sequence
from dataclasses import dataclass

from llkd.right_size import Trial, choose, holds, pareto_front
from llkd.selection.factory import fit_to_pool
from llkd.specs import Candidate, DistillationSpec, StudentChoice
from llkd.training_plan import TrainingPlan
from llkd.types import Pool
from worker.protocol import Json

# Of what a finished candidate left, what is told of it beside what it was.
_TOLD = ("student", "candidate", "ended", "seconds", "serving")


@dataclass(frozen=True)
class Planned:
    """One student to train, among others on the same answers.

    Attributes:
        batches: of the pool, in all its passes.
        before: batches of those that are trained before it.
    """

    candidate: Candidate
    plan: TrainingPlan
    batches: int
    before: int


def plan_candidates(spec: DistillationSpec, pool: Pool) -> list[Planned]:
    """All that are trained, in their order; those that come to the same are one."""
    fitted = [fit_to_pool(each, pool) for each in spec.candidates()]
    found: list[Planned] = []
    before = 0
    for candidate in dict.fromkeys(fitted):
        plan = TrainingPlan.of(candidate, pool_size=len(pool))
        batches = plan.epochs * plan.batches_an_epoch(pool)
        found.append(Planned(candidate, plan, batches=batches, before=before))
        before += batches
    return found


def keep_best(finished: Sequence[Json], spec: DistillationSpec) -> Json:
    """The output of the one to keep, with what came of all of them where there are several.

    The score is macro-F1 on held-out confident pseudo-labels: no gold takes part.
    """
    target = spec.student.target if isinstance(spec.student, StudentChoice) else None
    most_ms = None if target is None else target.p95_ms
    trials = [_trial(output) for output in finished]
    best = choose(trials, most_ms=most_ms)
    told = [
        {name: output[name] for name in _TOLD}
        | {
            "chosen": place == best,
            "held_out_score": output["final_score"],
            "holds_target": None if target is None else holds(trials[place], most_ms=most_ms),
            "pareto": on_front,
            "steps": output["counters"]["steps"],
            "gradient_samples": output["counters"]["gradient_samples"],
            "unique_samples": output["counters"]["unique_samples"],
        }
        for place, (output, on_front) in enumerate(zip(finished, pareto_front(trials), strict=True))
    ]
    return {**finished[best], "candidates": told if len(told) > 1 else None}


def chosen_of(output: Json, spec: DistillationSpec) -> Candidate:
    """The candidate that the train stage kept."""
    # Jobs of the first releases trained one, and did not say which.
    trained = output.get("candidate")
    return spec.candidates()[0] if trained is None else Candidate.model_validate(trained)


def _trial(output: Json) -> Trial:
    serving = output["serving"] or {}
    return Trial(output["final_score"], serving.get("p95_ms"), serving.get("size_bytes"))
