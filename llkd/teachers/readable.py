"""Can a text be encoded at all?"""


def is_readable(text: str) -> bool:
    """Whether the text can be encoded: half a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
