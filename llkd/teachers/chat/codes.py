"""Which short codes stand for labels in a prompt and in its answers."""

from collections.abc import Iterator, Sequence
from itertools import islice, product

from llkd.specs.base import label_key

# "I" comes last: a refusal begins with that word, and its first token must not pass for an
# answer.
LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZI"
_DIGITS = "0123456789"


def choose_codes(names: Sequence[str]) -> tuple[str, ...]:
    """K codes for K label names, none of which is the name of a label itself.

    Up to 26 labels get a letter each, which is one token for nearly every tokenizer: their
    probabilities can be read off an answer's first token. More labels get three digits
    each, `000` to `999`. Tokenizers that take three digits at once (OpenAI's, Llama 3's)
    make one token of them; where each digit is a token of its own, or where 20 listed
    probabilities are too few, the labels' probabilities cannot be read and a lower rung is
    taken. All codes are equally long, so none is the beginning of another.
    """
    taken = {label_key(name) for name in names}
    for family in _families():
        free = list(islice((code for code in family if label_key(code) not in taken), len(names)))
        if len(free) == len(names):
            return tuple(free)
    raise ValueError(f"{len(names)} labels are more than there are codes")


def _families() -> Iterator[Iterator[str]]:
    yield iter(LETTERS)
    yield ("".join(digits) for digits in product(_DIGITS, repeat=3))
    # For a thousand labels some of which are named by three digits.
    yield (letter + "".join(digits) for letter in LETTERS for digits in product(_DIGITS, repeat=3))
