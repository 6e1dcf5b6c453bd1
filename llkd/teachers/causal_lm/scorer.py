"""What are the scores of a text's labels, by the fastest way that is open?"""

from collections.abc import Mapping, Sequence
from functools import cached_property

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from llkd.teachers.causal_lm.choosing import Way, choose_way
from llkd.teachers.causal_lm.frame import Frame
from llkd.teachers.causal_lm.full import FullScorer
from llkd.teachers.causal_lm.obstacles import Obstacle
from llkd.teachers.causal_lm.reading import PromptReader, Reading
from llkd.teachers.causal_lm.scores import LabelScores, ScoringPath
from llkd.tokens import CHARACTERS_A_TOKEN

# Tokens in one forward, trees included. More would share the reading of weights among more
# texts, but each token also looks past all of its neighbours, in vain.
_TOKEN_BUDGET = {"cpu": 1024, "cuda": 4096}


class LabelScorer:
    """Scores the labels of a frame for any text in it.

    Where the model, its tokenizer and the text allow, by one forward for many texts over a
    prefix that is read once; where layers forget, text by text over a copy of that prefix;
    else by one forward a label over the whole prompt. All give the same scores. In float32
    on a CPU a text's probabilities are the same within 1e-5 whatever stands beside it, as
    packs of other shapes add in another order; bit for bit they are the same only for the
    same texts in the same order.
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
        fitting = {
            place: reading
            for place, reading in zip(short, readings, strict=True)
            if self._has_room(len(reading.ids))
        }
        apart = self._score_apart(fitting)
        for place, reading in fitting.items():
            is_done = place in apart
            found[place] = apart[place] if is_done else self._score_whole(middles[place], reading)
        return found

    @property
    def obstacle(self) -> Obstacle | None:
        """What keeps most texts from the fastest way; None where nothing does."""
        return self._way.obstacle

    @cached_property
    def _way(self) -> Way:
        limit = self._token_limit
        return choose_way(
            self._model,
            self._reader,
            longest=None if limit is None else limit - self._answer_room,
            token_budget=self._budget,
        )

    def _score_apart(self, readings: Mapping[int, Reading]) -> dict[int, LabelScores]:
        """Those that can be scored over the kept prefix."""
        apart = {place: reading.ids for place, reading in readings.items() if reading.is_apart}
        # Which way is open costs a few forwards to find out.
        scorer = self._way.scorer if apart else None
        if scorer is None:
            return {}
        start = len(self._reader.head)
        rows = scorer.score([ids[start:] for ids in apart.values()])
        return {
            place: LabelScores(row, self._way.path, len(ids))
            for (place, ids), row in zip(apart.items(), rows, strict=True)
        }

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
