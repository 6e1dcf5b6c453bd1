"""What one cell says: a label, a confidence, probabilities by label, or votes."""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from unicodedata import category

from app.datasets.options import MAX_FIELD_CHARACTERS, MAX_LABEL_CHARACTERS, MAX_LABELS, MAX_VOTES
from core.texts import normalized
from llkd.types import SUM_TOLERANCE

MAX_SHARE = 1.001


class BadValue(Exception):
    """A label or an answer that cannot be used; the message says why."""


def read_label(value: Any) -> str | None:
    """A label as its name, normalised; None for an empty one.

    Whole numbers are taken as their digits, since many corpora number their classes.

    Raises:
        BadValue: no label could be so.
    """
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        raise BadValue("a label is a string or a whole number")
    if len(value) > 4 * MAX_LABEL_CHARACTERS:
        raise BadValue(f"a label is at most {MAX_LABEL_CHARACTERS} characters long")
    label = normalized(value)
    if len(label) > MAX_LABEL_CHARACTERS:
        raise BadValue(f"a label is at most {MAX_LABEL_CHARACTERS} characters long")
    if any(category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in label):
        raise BadValue("a label holds no control characters and no line breaks")
    return label or None


def read_confidence(value: Any) -> float | None:
    """A probability in [0, 1], given as a number or as its digits; None for an empty one.

    Raises:
        BadValue: it is none.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise BadValue("a confidence is a number")
    try:
        confidence = float(value)
    except (ValueError, OverflowError):
        raise BadValue("a confidence is a number") from None
    if not 0 <= confidence <= 1:  # NaN fails this too
        raise BadValue("a confidence is between 0 and 1")
    return confidence


def read_probabilities(value: Any) -> str | None:
    """Probabilities by label, as a JSON object; None for an empty value.

    Raises:
        BadValue: not an object of numbers that are at least 0 and sum to 1.
    """
    value = _parsed(value, "the probabilities are not a JSON object")
    if value is None:
        return None
    if not isinstance(value, Mapping) or not 0 < len(value) <= MAX_LABELS:
        raise BadValue(f"probabilities are an object of 1 to {MAX_LABELS} labels")
    shares = _by_label(value, _read_share, what="probabilities")
    total = sum(shares.values())
    if shares and abs(total - 1) > SUM_TOLERANCE:
        raise BadValue(f"the probabilities sum to {total:.6g}, not to 1")
    return _written(shares)


def read_votes(value: Any) -> str | None:
    """How many votes each label has, as a JSON object; None where nobody voted.

    They come as a list with a label a vote, or as an object of counts. An empty vote of a
    list, or a count of 0, is none.

    Raises:
        BadValue: neither a list of labels nor an object of whole numbers that are at least 0.
    """
    value = _parsed(value, "the votes are neither a JSON list nor an object")
    if value is None:
        return None
    if isinstance(value, list) and len(value) <= MAX_VOTES:
        value = Counter(label for label in map(read_label, value) if label is not None)
    if not isinstance(value, Mapping) or len(value) > MAX_LABELS:
        raise BadValue(
            f"votes are a list of at most {MAX_VOTES} labels, or an object of at most "
            f"{MAX_LABELS} labels with their counts"
        )
    counts = {name: count for name, count in value.items() if count != 0}
    return _written(_by_label(counts, _read_count, what="votes"))


def _by_label(
    given: Mapping[Any, Any], read: Callable[[Any], float], *, what: str
) -> dict[str, float]:
    """The numbers by label; a number that is null says that its key is lacking."""
    found: dict[str, float] = {}
    for name, number in given.items():
        if number is None:  # how a Parquet struct says that a row lacks a key
            continue
        label = read_label(name)
        if label is None or label in found:
            raise BadValue(f"{what} name each label once")
        found[label] = read(number)
    return found


def _written(numbers: Mapping[str, float]) -> str | None:
    """As a JSON object; None where nothing is left."""
    return json.dumps(numbers, ensure_ascii=False) if numbers else None


def _read_share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadValue("a probability is a number")
    # 1 and a little: what a sum of rounded numbers may come to.
    if not 0 <= value <= MAX_SHARE:
        raise BadValue("a probability is between 0 and 1")
    return float(value)


def _read_count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BadValue("a number of votes is a whole number")
    # Parquet files of data frames hold counts beside gaps as floats; NaN fails this, too.
    if not 0 <= value <= MAX_VOTES or value != int(value):
        raise BadValue(f"a number of votes is a whole number between 0 and {MAX_VOTES}")
    return int(value)


def _parsed(value: Any, fault: str) -> Any:
    """What a string holds as JSON, None for an empty one; other values as they are."""
    if not isinstance(value, str):
        return value
    if len(value) > MAX_FIELD_CHARACTERS:
        raise BadValue("the value is too long")
    if not value.strip():
        return None
    try:
        return json.loads(value, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        raise BadValue(fault) from None


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; of two equal names JSON would quietly keep the second."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise BadValue("a label is named twice")
    return found
