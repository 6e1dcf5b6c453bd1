"""Which is the best way in which a server really answers? It is tried, not believed."""

from collections.abc import Awaitable, Callable
from typing import Literal

from llkd.teachers.chat.calling import Call
from llkd.teachers.chat.climb import Climb
from llkd.teachers.chat.errors import RungUnavailable
from llkd.teachers.chat.probed import Probed
from llkd.teachers.chat.rungs.base import Rung
from llkd.teachers.chat.task import SAMPLE_TASK, ChatTask
from llkd.teachers.chat.trial import Trial

Confidence = Literal["auto", "logprobs", "votes", "verbalised", "none"]


async def probe(
    call: Call,
    *,
    model: str,
    task: ChatTask = SAMPLE_TASK,
    confidence: Confidence = "auto",
    votes: int = 5,
) -> Probed:
    """Climb down the ladder until the server really answers as it was asked to.

    From the top: probabilities of named tokens; of the likeliest ones; a label that the
    server forces; votes. Many servers accept a field that they do not know and ignore it,
    so a step holds only if the reply shows it. A server that offers the best that is not
    vLLM's costs one completion.

    Args:
        call: sends requests to the server.
        model: the name to ask for.
        task: the job's own; what a server can do depends on how many labels there are.
        confidence: `auto` takes the best rung; another takes one of its own kind or none.
        votes: answers a text, where confidence comes from votes.

    Raises:
        RungUnavailable: the server cannot answer as `confidence` says; with what was tried.
        TeacherSilent: it does not answer at all.
    """
    climb = Climb(call, model=model, task=task, votes=votes)
    for attempt in _attempts(climb, confidence):
        rung = await attempt()
        if rung is not None:
            return _probed(rung, climb.trial)
    tried = "; ".join(f"{step.rung}: {step.why_not}" for step in climb.trial.steps)
    raise RungUnavailable(
        f"The server offers no answers with confidence {confidence!r} from {model!r} ({tried})."
    )


def _probed(rung: Rung, trial: Trial) -> Probed:
    spent = trial.exchange
    return Probed(
        rung,
        dialect=spent.dialect,
        steps=tuple(trial.steps),
        model=spent.model_said,
        calls=spent.calls,
        tokens_in=spent.tokens_in,
        tokens_out=spent.tokens_out,
    )


def _attempts(
    climb: Climb, confidence: Confidence
) -> tuple[Callable[[], Awaitable[Rung | None]], ...]:
    match confidence:
        case "auto":
            return (climb.logprobs, climb.constrained, climb.votes)
        case "logprobs":
            return (climb.logprobs,)
        case "votes":
            return (climb.votes,)
        case "verbalised":
            return (climb.verbalised,)
        case "none":
            return (climb.constrained, climb.plain)
