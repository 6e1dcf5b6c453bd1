"""How one support text is put together around the request that decides its label."""

import random
from collections.abc import Callable, Mapping, Sequence

from demo.noise import in_some_register, with_typos
from demo.phrases import Blocks, Frames, Intent
from demo.wording import Chooser

TYPO_RATES = (0.0, 0.0, 0.04, 0.12)
NEIGHBOUR_SHARE = 0.8
# Intents that are mistaken for each other supply most of the misleading sentences.
NEIGHBOURS = {
    "delivery": ("returns", "billing", "refund", "cancellation"),
    "billing": ("refund", "account", "cancellation", "technical"),
    "refund": ("billing", "returns", "delivery", "cancellation"),
    "technical": ("account", "delivery", "returns", "billing"),
    "returns": ("refund", "delivery", "technical", "cancellation"),
    "account": ("technical", "billing", "cancellation"),
    "cancellation": ("billing", "delivery", "refund", "returns"),
    "complaint": ("delivery", "refund", "technical", "billing"),
}


class Composer:
    """Writes texts of any intent.

    Each block is a held-out one with the chance `held_out_share`; if that is not 0, every
    text has at least one, in its request or around it.
    """

    def __init__(
        self,
        intents: Sequence[Intent],
        frames: Frames,
        rng: random.Random,
        *,
        held_out_share: float,
    ) -> None:
        self.intents = {intent.name: intent for intent in intents}
        self.frames = frames
        self.rng = rng
        self.choose = Chooser(rng, held_out_share=held_out_share)
        shapes: tuple[tuple[Callable[[str], list[str]], int], ...] = (
            (self._plain, 44),
            (self._own_history, 20),
            (self._history, 12),
            (self._afterthought, 8),
            (self._denial, 5),
            (self._denied_last, 3),
            (self._wish_taken_back, 3),
            (self._request_taken_back, 3),
            (self._long_story, 2),
        )
        self._shapes = [shape for shape, _ in shapes]
        self._weights = [weight for _, weight in shapes]

    def write(self, intent: str) -> str:
        """One text whose final request is this intent's."""
        sentences = self._sentences(intent)
        text = " ".join(map(_as_sentence, sentences))
        rate = self.rng.choice(TYPO_RATES)
        return with_typos(in_some_register(text, self.rng), self.rng, rate=rate)

    def _sentences(self, intent: str) -> list[str]:
        before = self.choose.held_out_picks
        while True:
            shape = self.rng.choices(self._shapes, weights=self._weights)[0]
            sentences = self._surrounded(shape(intent))
            if self.choose.held_out_share == 0 or self.choose.held_out_picks > before:
                return sentences

    def _plain(self, intent: str) -> list[str]:
        return [self._ask(intent)]

    def _own_history(self, intent: str) -> list[str]:
        return [self._background(intent), self._ask(intent)]

    def _history(self, intent: str) -> list[str]:
        return [self._background(self._other(intent)), self._ask(intent)]

    def _afterthought(self, intent: str) -> list[str]:
        return [self._ask(intent), self._background(self._other(intent))]

    def _denial(self, intent: str) -> list[str]:
        return [self._wish(self._other(intent), self.frames.denials), self._ask(intent)]

    def _denied_last(self, intent: str) -> list[str]:
        return [self._ask(intent), self._wish(self._other(intent), self.frames.denials)]

    def _wish_taken_back(self, intent: str) -> list[str]:
        wish = self._wish(self._other(intent), self.frames.first_wishes)
        return [wish, self._turn(), self._ask(intent)]

    def _request_taken_back(self, intent: str) -> list[str]:
        return [self._ask(self._other(intent)), self._turn(), self._ask(intent)]

    def _long_story(self, intent: str) -> list[str]:
        return [self._background(self._other(intent)), *self._wish_taken_back(intent)]

    def _ask(self, intent: str) -> str:
        return self._filled(self.choose.pick(self.intents[intent].asks))

    def _background(self, intent: str) -> str:
        frame = self.choose.pick(self.frames.backgrounds)
        context = self._filled(self.choose.pick(self.intents[intent].contexts))
        return frame.replace("{context}", context)

    def _wish(self, intent: str, frames: Blocks) -> str:
        want = self._filled(self.choose.pick(self.intents[intent].wants))
        return self.choose.pick(frames).replace("{want}", want)

    def _turn(self) -> str:
        return self.choose.pick(self.frames.turns)

    def _filled(self, block: str) -> str:
        return self.choose.fill(block, self.frames.slots)

    def _other(self, intent: str) -> str:
        if self.rng.random() < NEIGHBOUR_SHARE:
            return self.rng.choice(NEIGHBOURS[intent])
        return self.rng.choice([name for name in self.intents if name != intent])

    def _surrounded(self, sentences: list[str]) -> list[str]:
        """With a greeting, an opener, an aside and a closing, each now and then."""
        before: Mapping[str, tuple[Blocks, float]] = {
            "greeting": (self.frames.greetings, 0.3),
            "opener": (self.frames.openers, 0.1),
            "aside": (self.frames.asides, 0.08),
        }
        opening = [
            self._filled(self.choose.pick(blocks))
            for blocks, chance in before.values()
            if self.rng.random() < chance
        ]
        closing = [self.choose.pick(self.frames.closings)] if self.rng.random() < 0.2 else []
        return [*opening, *sentences, *closing]


def _as_sentence(words: str) -> str:
    ended = words if words.endswith(("?", "!")) else f"{words}."
    return ended[0].upper() + ended[1:]
