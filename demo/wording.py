"""How a building block becomes words: alternatives chosen, gaps filled."""

import random
import re
from collections.abc import Mapping

from demo.phrases import Blocks

ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
GAP = re.compile(r"\{(\w+)\}")


class Chooser:
    """Picks blocks and words, each a held-out one with the same chance.

    `held_out_picks` counts the held-out blocks so far; single words are not counted.
    """

    def __init__(self, rng: random.Random, *, held_out_share: float) -> None:
        self.rng = rng
        self.held_out_share = held_out_share
        self.held_out_picks = 0

    def pick(self, blocks: Blocks) -> str:
        held_out = self._held_out()
        self.held_out_picks += held_out
        return self.rng.choice(blocks.held_out if held_out else blocks.seen)

    def fill(self, block: str, words: Mapping[str, Blocks]) -> str:
        """Choose among `[this|that]` and put words into every `{gap}`.

        Raises:
            KeyError: the block has a gap that nothing fills.
        """
        chosen = ALTERNATIVES.sub(lambda found: self.rng.choice(found[1].split("|")), block)
        return GAP.sub(lambda found: self._word(words[found[1]]), chosen)

    def _word(self, blocks: Blocks) -> str:
        return self.rng.choice(blocks.held_out if self._held_out() else blocks.seen)

    def _held_out(self) -> bool:
        return self.rng.random() < self.held_out_share
