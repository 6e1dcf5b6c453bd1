"""Can a text be encoded at all?"""


def is_readable(text: str) -> bool:
    """Whether the text is valid Unicode: half a surrogate pair is not, and no tokenizer takes it."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
