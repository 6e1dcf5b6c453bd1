"""What a server turned out to offer, and how that is kept."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self

from llkd.teachers.chat.dialect import Dialect
from llkd.teachers.chat.rungs.base import Rung
from llkd.teachers.chat.rungs.constrained import GuidedChoice, JsonMode, JsonSchema
from llkd.teachers.chat.rungs.logprobs import TokenLogprobs, TopLogprobs
from llkd.teachers.chat.rungs.text import PlainText
from llkd.teachers.chat.rungs.verbalised import Verbalised
from llkd.teachers.chat.rungs.votes import Votes
from llkd.teachers.chat.trial import Step
from llkd.types import Json

_PLAIN_RUNGS: Mapping[str, Rung] = {
    rung.name: rung
    for rung in (TopLogprobs(), GuidedChoice(), JsonSchema(), JsonMode(), Verbalised(), PlainText())
}


@dataclass(frozen=True)
class Probed:
    """What a server turned out to offer.

    A job keeps it: its rung is part of the teacher's fingerprint, and a resumed job that
    found another one would buy every answer again.

    Attributes:
        rung: the way to ask it.
        dialect: how to write a request for it.
        steps: what was tried on the way, in order.
        model: the name under which the server answered.
        calls: completions asked for.
        tokens_in: what these took, and `tokens_out`.
    """

    rung: Rung
    dialect: Dialect = field(default_factory=Dialect)
    steps: tuple[Step, ...] = ()
    model: str | None = None
    calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def to_json(self) -> Json:
        """All of it as JSON."""
        return {
            "rung": _rung_json(self.rung),
            "dialect": asdict(self.dialect),
            "steps": [asdict(step) for step in self.steps],
            "model": self.model,
            "calls": self.calls,
            "tokens_in": self.tokens_in,
            "tokens_out": self.tokens_out,
        }

    @classmethod
    def from_json(cls, content: Json) -> Self:
        """What `to_json` wrote.

        Raises:
            ValueError: it names no rung of this version.
        """
        return cls(
            **{
                **content,
                "rung": _rung(content["rung"]),
                "dialect": Dialect(**content["dialect"]),
                "steps": tuple(Step(**step) for step in content["steps"]),
            }
        )


def possible_rungs(*, votes: int) -> list[tuple[str, int]]:
    """Name and answers a text of every way in which a server may turn out to be asked."""
    plain = [(rung.name, rung.answers) for rung in _PLAIN_RUNGS.values()]
    return [*plain, (TokenLogprobs.name, TokenLogprobs.answers), (Votes.name, votes)]


def _rung_json(rung: Rung) -> Json:
    match rung:
        case Votes():
            return {"name": rung.name, "answers": rung.answers, "at_once": rung.at_once}
        case TokenLogprobs():
            return {"name": rung.name, "token_ids": dict(rung.token_ids)}
        case _:
            return {"name": rung.name}


def _rung(content: Json) -> Rung:
    name = content["name"]
    if name == Votes.name:
        return Votes(content["answers"], at_once=content["at_once"])
    if name == TokenLogprobs.name:
        return TokenLogprobs(content["token_ids"])
    if name not in _PLAIN_RUNGS:
        raise ValueError(f"there is no rung named {name!r}")
    return _PLAIN_RUNGS[name]
