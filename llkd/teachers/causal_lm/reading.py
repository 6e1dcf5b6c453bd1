"""Do prefix, text and labels become the same tokens together as apart?"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from tokenizers.models import Unigram
from transformers import PreTrainedTokenizerBase

from llkd.errors import TeacherUnusable
from llkd.teachers.causal_lm.frame import Frame

Ids = list[int]

# Texts as different as texts begin and end: what the tokens of all of them have in common
# at both ends does not depend on the text.
_PROBES = ("a", "1", "\n", " ", ".", "é", "\n\n", "A b")


@dataclass(frozen=True)
class Reading:
    """A text's prompt as tokens.

    Attributes:
        ids: the whole prompt's, without a label.
        is_apart: whether it is the prefix's tokens, then others, then the suffix's.
    """

    ids: Ids
    is_apart: bool


@dataclass(frozen=True)
class Spelling:
    """Every label's tokens after one text, where they do not stand apart from the prompt's.

    Attributes:
        whole: K rows of tokens, each of the prompt and one label.
        shared: how many tokens at the start of every row are the prompt's.
    """

    whole: list[Ids]
    shared: int


class PromptReader:
    """Tokenizes whole prompts, as the model would meet them, and compares."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, frame: Frame) -> None:
        self._tokenizer = tokenizer
        self._frame = frame

    @cached_property
    def head(self) -> Ids:
        """The tokens that every prompt begins with."""
        return _common_start(self._probed)

    @cached_property
    def continuations(self) -> list[Ids] | None:
        """K rows of tokens, a label's and its end's; None where they melt into the prompt's."""
        # A unigram tokenizer weighs all ways to cut a string, so that no two neighbours
        # say whether a third will change them.
        if isinstance(self._tokenizer.backend_tokenizer.model, Unigram) or not self._tail:
            return None
        found = [self._continuations_after(probe) for probe in _PROBES[:2]]
        return found[0] if found[0] == found[1] else None

    @property
    def probes(self) -> list[Reading]:
        """Short made-up texts, read; for trying out what is to be done with real ones."""
        return [Reading(ids, self._is_apart(ids)) for ids in self._probed]

    def read(self, middles: Sequence[str]) -> list[Reading]:
        """Tokenize the prompts of these texts."""
        whole = self._encode([self._frame.around(middle) for middle in middles])
        return [Reading(ids, self._is_apart(ids)) for ids in whole]

    def spell(self, middle: str) -> Spelling:
        """Tokenize the prompt with each label after it.

        Raises:
            TeacherUnusable: two labels have the same tokens, or none has any of the prompt's.
        """
        prompt = self._frame.around(middle)
        asked, *whole = self._encode([prompt, *(prompt + end for end in self._frame.continuations)])
        check_exclusive(whole)
        shared = len(_common_start([asked, *whole]))
        if not shared:
            raise TeacherUnusable("the model's tokenizer leaves nothing of the prompt as it is")
        return Spelling(whole, shared)

    @cached_property
    def _probed(self) -> list[Ids]:
        return self._encode([self._frame.around(probe) for probe in _PROBES])

    @cached_property
    def _tail(self) -> Ids:
        return _common_start([ids[::-1] for ids in self._probed])[::-1]

    def _is_apart(self, ids: Ids) -> bool:
        """Whether the text melts into nothing of what stands around it.

        Then a label does not either: merging tokenizers go by neighbours, so that tokens
        which are right in pairs are right together, and the pair of the last token of the
        prompt and the first of a label is the one that was looked at.
        """
        start, end = len(self.head), len(self._tail)
        return (
            min(start, end) > 0
            and len(ids) >= start + end
            and ids[:start] == self.head
            and ids[-end:] == self._tail
        )

    def _continuations_after(self, probe: str) -> list[Ids] | None:
        """K rows of tokens; the prefix is left out, it is far from the labels and long."""
        asked = probe + self._frame.suffix
        prompt, *whole = self._encode([asked, *(asked + end for end in self._frame.continuations)])
        if prompt[-len(self._tail) :] != self._tail:
            return None
        if any(ids[: len(prompt)] != prompt for ids in whole):
            return None
        check_exclusive(whole)
        return [ids[len(prompt) :] for ids in whole]

    def _encode(self, texts: Sequence[str]) -> list[Ids]:
        # transformers' tokenizers fail on no text at all.
        if not texts:
            return []
        encoded = self._tokenizer(
            list(texts),
            # The frame has them already.
            add_special_tokens=False,
            padding=False,
            truncation=False,
            return_attention_mask=False,
            return_token_type_ids=False,
            # The model's limit is minded elsewhere.
            verbose=False,
        )
        rows: list[Ids] = encoded["input_ids"]
        return rows


def check_exclusive(rows: Sequence[Ids]) -> None:
    """Refuse labels of which a tokenizer makes the same, or one the beginning of another.

    Raises:
        TeacherUnusable: says which, counted from 0.
    """
    ordered = sorted(range(len(rows)), key=lambda place: rows[place])
    for first, second in pairwise(ordered):
        if rows[second][: len(rows[first])] == rows[first]:
            raise TeacherUnusable(
                f"the model's tokenizer cannot tell the labels {first} and {second} apart"
            )


def _common_start(rows: Sequence[Ids]) -> Ids:
    """The tokens that all rows begin with."""
    shared = 0
    for column in zip(*rows, strict=False):
        if len(set(column)) > 1:
            break
        shared += 1
    return rows[0][:shared]
