"""The training loop: select, learn, look, and say so after every batch."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from llkd.held_out import held_out_score
from llkd.selection.base import Batch, Selection, Selector
from llkd.students.base import Student
from llkd.training_plan import TrainingPlan
from llkd.training_state import TrainingState
from llkd.types import BoolArray, FloatArray, IntArray, Json, Pool
from llkd.uncertainty import normalized_entropy

# A whole pass that keeps less than this teaches no more than it costs to look through.
_DRY_RATE = 0.05
# One that keeps less than this is the last one if held-out texts gain nothing, either.
_LOW_RATE = 0.1


@dataclass(frozen=True)
class TrainingReport:
    """Where a training stands after one more batch of the pool.

    Attributes:
        step: optimizer steps taken.
        epoch: pass under way, from 0.
        fraction: share of the planned passes or steps that is behind, in [0, 1].
        loss: of the newest optimizer step; None if this batch led to none.
        selected: share of the texts seen that was kept so far, in [0, 1].
        unique_used: different texts that were part of an optimizer step.
        counters: what was used so far, by name.
        batch: what the selector decided on, with the uncertainty that it saw.
        kept: [B], the texts of it that were kept.
        thresholds: the selector's for this batch, for a person.
        held_out_score: macro-F1 on the held-out texts, if they were looked at just now.
        best_score: that of the weights that are kept, which the student ends with.
        stopped: why training ended with this report, or None.
        state: all that is needed to go on from here, beside the student's own files. It
            is the loop's own and moves with it: save it before asking for the next report.
    """

    step: int
    epoch: int
    fraction: float
    loss: float | None
    selected: float
    unique_used: int
    counters: Json
    batch: Batch
    kept: BoolArray
    thresholds: Json
    held_out_score: float | None
    best_score: float | None
    stopped: str | None
    state: TrainingState


def distill(
    student: Student,
    pool: Pool,
    selector: Selector,
    *,
    plan: TrainingPlan,
    held_out: Pool | None,
    state: TrainingState | None = None,
) -> Iterator[TrainingReport]:
    """Teach the student from pseudo-labels, yielding after every batch of the pool.

    The student ends with the last weights that scored as well on the held-out texts as any
    before them, or the very last ones where nothing was held out.

    To resume, pass the saved state, and a student restored from the files saved with it.
    """
    state = state or TrainingState.start(len(pool))
    if state.selector is not None:
        selector.restore(state.selector)
    for index in _batches(pool, plan, state):
        batch, selection = _choose(student, pool, selector, index, state=state)
        loss = _learn(student, pool, selector, plan, state=state)
        state.advance(selector.state(), batches=plan.batches_an_epoch(pool))
        state.stopped = _reason_to_end(selector, plan, state)
        score = _look(student, held_out, plan, state=state)
        if state.stopped is None and _gains_no_more(selector, plan, state):
            state.stopped = "no_gain"
        if state.stopped is not None:
            student.recall()
        yield _report(
            pool, selector, plan, batch, selection.keep, state=state, loss=loss, score=score
        )


def _batches(pool: Pool, plan: TrainingPlan, state: TrainingState) -> Iterator[IntArray]:
    """The batches from the state's place on, for as long as nothing stops the training."""
    for epoch in range(state.epoch, plan.epochs):
        for batch in plan.batches(epoch, pool=pool)[state.position :]:
            if state.stopped is not None:
                return
            yield batch


def _choose(
    student: Student, pool: Pool, selector: Selector, index: IntArray, *, state: TrainingState
) -> tuple[Batch, Selection]:
    """Put what the selector keeps of one batch into the buffer."""
    uncertainty: FloatArray = np.full(len(index), np.nan)
    if selector.needs_uncertainty:
        answers = student.predict([pool.texts[i] for i in index])
        uncertainty = normalized_entropy(answers.probabilities)
        state.count_forwards(answers)
        state.dynamics.observe(index, pool.labels[index], answers.probabilities)
    batch = Batch(index, pool.labels[index], pool.confidence[index], uncertainty)
    selection = selector.select(batch)
    kept = zip(index[selection.keep], selection.weights[selection.keep], strict=True)
    state.buffer.extend((int(place), float(weight)) for place, weight in kept)
    state.count_selection(seen=len(batch), kept=int(selection.keep.sum()))
    return batch, selection


def _learn(
    student: Student, pool: Pool, selector: Selector, plan: TrainingPlan, *, state: TrainingState
) -> float | None:
    """Take an optimizer step for every full batch in the buffer; returns the newest loss.

    A ragged plan waits for none to be full.
    """
    loss = None
    size = min(plan.batch_size, len(pool))
    while len(state.buffer) >= (1 if plan.ragged else size):
        if state.counters.steps >= plan.most_steps:
            break
        entries, state.buffer = state.buffer[:size], state.buffer[size:]
        index = np.array([entry[0] for entry in entries])
        rate = plan.learning_rate_at(state.counters.steps, fraction=plan.fraction(state, pool=pool))
        learned = student.update(
            [pool.texts[i] for i in index],
            pool.labels[index],
            np.array([entry[1] for entry in entries]),
            learning_rate=rate,
        )
        loss = learned.loss
        if not selector.needs_uncertainty:
            # Else the text was read when it was chosen.
            state.dynamics.observe(index, pool.labels[index], learned.probabilities)
        state.count_update(index, loss=loss)
    return loss


def _look(
    student: Student, held_out: Pool | None, plan: TrainingPlan, *, state: TrainingState
) -> float | None:
    """Score the student on the held-out texts when it is time, and in the end.

    Its newest weights and their average are both looked at; the better ones count, and are
    kept unless earlier ones were better still.
    """
    if held_out is None or not plan.early_stopping:
        return None
    is_due = state.counters.steps >= max(state.next_check, plan.first_check)
    if not is_due and state.stopped is None:
        return None
    scores = []
    for averaged in (False, True):
        answers = student.predict(held_out.texts, averaged=averaged)
        state.count_forwards(answers)
        scores.append(held_out_score(answers.probabilities, held_out.labels))
    next_check = state.counters.steps + plan.check_every
    if state.observe_score(max(scores), min_gain=plan.min_gain, next_check=next_check):
        state.best_is_average = scores[1] > scores[0]
        student.remember(averaged=state.best_is_average)
    return max(scores)


def _reason_to_end(selector: Selector, plan: TrainingPlan, state: TrainingState) -> str | None:
    """Why there is nothing more to learn from, whatever the held-out texts say."""
    if state.epoch >= plan.epochs or state.counters.steps >= plan.most_steps:
        return "finished"
    if not plan.early_stopping:
        return None
    return "nothing_left" if _kept_less_than(_DRY_RATE, selector, state) else None


def _gains_no_more(selector: Selector, plan: TrainingPlan, state: TrainingState) -> bool:
    """Whether held-out texts and selection rate both say that training is over.

    Neither does alone: on confident texts a student stands still while it still learns the
    rare classes, and a rate comes down before the learning rate does.
    """
    waited = state.looks_without_gain(min_gain=plan.min_gain) >= plan.patience
    return waited and _kept_less_than(_LOW_RATE, selector, state)


def _kept_less_than(rate: float, selector: Selector, state: TrainingState) -> bool:
    """Whether the last whole pass kept less than this share of what it saw.

    Only a selector that looks at the student dries up; a fixed share is what was asked for.
    """
    last = state.last_rate
    return selector.needs_uncertainty and last is not None and last < rate


def _report(
    pool: Pool,
    selector: Selector,
    plan: TrainingPlan,
    batch: Batch,
    kept: BoolArray,
    *,
    state: TrainingState,
    loss: float | None,
    score: float | None,
) -> TrainingReport:
    return TrainingReport(
        step=state.counters.steps,
        epoch=state.epoch,
        fraction=plan.fraction(state, pool=pool),
        loss=loss,
        selected=state.counters.kept / state.counters.seen,
        unique_used=state.unique_used,
        counters=asdict(state.counters),
        batch=batch,
        kept=kept,
        thresholds=selector.thresholds(),
        held_out_score=score,
        best_score=state.best_score,
        stopped=state.stopped,
        state=state,
    )
