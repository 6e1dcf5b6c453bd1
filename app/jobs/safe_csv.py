"""CSV cells that no spreadsheet takes for a formula."""

import re

# A line that would begin a formula, also after blanks, invisible characters or in full
# width; lines within a cell count, because some readers split them before they unquote.
_BLANKS = r"[^\S\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]"
_FORMULA = re.compile(
    rf"(?:\A|(?<=[\r\n\x0b\x0c\x1c-\x1e\x85\u2028\u2029]))"
    rf"(?=(?:{_BLANKS}|[\u200b-\u200f\u2060\ufeff])*[=+\-@\uff1d\uff0b\uff0d\uff20])|\A(?=\t)"
)


def escape_formulas(cell: str) -> str:
    """The cell with an apostrophe before each line that could be a formula.

    Source: OWASP, "CSV Injection".
    """
    return _FORMULA.sub("'", cell)
