"""When two texts are one text."""

from unicodedata import is_normalized, normalize


def normalized(text: str) -> str:
    """NFC, without white space around it: texts that look the same become one text."""
    text = text.strip()
    return text if is_normalized("NFC", text) else normalize("NFC", text).strip()
