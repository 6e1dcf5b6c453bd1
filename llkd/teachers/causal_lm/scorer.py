"""Which of two ways to the scores of a text's labels is open, and what are they?"""

from collections.abc import Sequence
from functools import cached_property

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from llkd.teachers.causal_lm.frame import Frame
from llkd.teachers.causal_lm.full import FullScorer
from llkd.teachers.causal_lm.label_trie import make_trie
from llkd.teachers.causal_lm.obstacles import Obstacle, agrees, find_obstacle
from llkd.teachers.causal_lm.reading import Ids, PromptReader, Reading, Spelling
from llkd.teachers.causal_lm.scores import LabelScores, ScoringPath
from llkd.teachers.causal_lm.tree import TreeScorer
from llkd.tokens import CHARACTERS_A_TOKEN

# Tokens in one forward, trees included. More would share the reading of weights among more
# texts, but each token also looks past all of its neighbours, in vain.
_TOKEN_BUDGET = {"cpu": 1024, "cuda": 4096}


class LabelScorer:
    """Scores the labels of a frame for any text in it.

    Where the model, its tokenizer and the text allow, by one forward for many texts over a
    prefix that is read once; else by one forward a label over the whole prompt. Both give
    the same scores. In float32 on a CPU a text's probabilities are the same within 1e-5
    whatever stands beside it, as packs of other shapes add in another order; bit for bit
    they are the same only for the same texts in the same order.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        frame: Frame,
        *,
        token_budget: int | None = None,
    ) -> None:
        """Nothing is read yet.

        Args:
            model: a causal language model in evaluation mode.
            tokenizer: its own.
            frame: what stands around the texts, and the labels.
            token_budget: the most tokens in one forward of several texts; None for the
                device's usual one.
        """
        self._model = model
        self._reader = PromptReader(tokenizer, frame)
        self._frame = frame
        self._full = FullScorer(model)
        self._budget = token_budget or _TOKEN_BUDGET[model.device.type]

    def score(self, middles: Sequence[str]) -> list[LabelScores | None]:
        """Score N texts, in order; None for one that is longer than the model reads.

        Raises:
            TeacherOutOfMemory: one text alone is too much.
            TeacherUnusable: the tokenizer cannot tell the labels apart.
        """
        found: list[LabelScores | None] = [None] * len(middles)
        short = [place for place, middle in enumerate(middles) if self._may_fit(middle)]
        readings = self._reader.read([middles[place] for place in short])
        packed: list[tuple[int, Reading]] = []
        for place, reading in zip(short, readings, strict=True):
            if self._has_room(len(reading.ids)):
                if reading.is_apart and self.obstacle is None:
                    packed.append((place, reading))
                else:
                    found[place] = self._score_whole(middles[place], reading)
        for place, scores in self._score_packed(packed):
            found[place] = scores
        return found

    @cached_property
    def obstacle(self) -> Obstacle | None:
        """Why every text takes the whole prompt for every label; None where most need not."""
        if self._reader.continuations is None or not self._reader.head:
            return Obstacle.TOKENS
        known = find_obstacle(self._model)
        if known is None and not self._is_proven():
            return Obstacle.DISAGREEMENT
        return known

    @cached_property
    def _tree(self) -> TreeScorer:
        labels = self._reader.continuations
        assert labels is not None
        return TreeScorer(
            self._model, self._reader.head, make_trie(labels), token_budget=self._budget
        )

    def _is_proven(self) -> bool:
        """Whether a pack of one made-up text, over and over, scores as it should."""
        labels = self._reader.continuations
        probe = next(
            (
                reading.ids
                for reading in self._reader.probes
                if reading.is_apart and self._has_room(len(reading.ids))
            ),
            None,
        )
        if labels is None or probe is None:
            return False
        text = probe[len(self._reader.head) :]
        # The longest goes deepest into the tree; each label takes as long as a whole prompt.
        label = max(range(len(labels)), key=lambda place: len(labels[place]))
        return agrees(
            self._tree,
            self._full,
            texts=[text] * max(2, self._budget // (len(text) + self._tree.tree_size)),
            spelling=Spelling([probe + labels[label]], len(probe)),
            label=label,
        )

    def _score_packed(
        self, packed: Sequence[tuple[int, Reading]]
    ) -> list[tuple[int, LabelScores]]:
        if not packed:
            return []
        start = len(self._reader.head)
        rows = self._tree.score([reading.ids[start:] for _, reading in packed])
        return [
            (place, LabelScores(row, ScoringPath.PREFIX_TREE, len(reading.ids)))
            for (place, reading), row in zip(packed, rows, strict=True)
        ]

    def _score_whole(self, middle: str, reading: Reading) -> LabelScores:
        row = self._full.score(self._reader.spell(middle))
        return LabelScores(row, ScoringPath.FULL_PROMPT, len(reading.ids))

    @cached_property
    def _token_limit(self) -> int | None:
        """Tokens the model has positions for; None where it sets no limit."""
        return getattr(self._model.config.get_text_config(), "max_position_embeddings", None)

    @cached_property
    def _answer_room(self) -> int:
        """Tokens that the longest label needs after a prompt; its last one is never read."""
        labels = self._reader.continuations
        if labels is not None:
            return max(len(label) for label in labels) - 1
        whole = self._reader.spell("").whole
        (prompt,) = self._reader.read([""])
        return max(len(row) for row in whole) - len(prompt.ids) - 1

    def _has_room(self, prompt_tokens: int) -> bool:
        limit = self._token_limit
        return limit is None or prompt_tokens + self._answer_room <= limit

    def _may_fit(self, middle: str) -> bool:
        """Whether it is worth while to tokenize a text at all."""
        limit = self._token_limit
        return limit is None or len(middle) <= limit * CHARACTERS_A_TOKEN
