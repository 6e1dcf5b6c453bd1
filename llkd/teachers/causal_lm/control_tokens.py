"""Which strings does a tokenizer turn into commands, and how does a text lose them?"""

import re

from transformers import PreTrainedTokenizerBase


class ControlTokens:
    """Strings that a chat is made of: "<|im_end|>" in a text would end the user's turn.

    They are every special token, and those added tokens that the chat's own frame uses.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, frame: str = "") -> None:
        """Read a tokenizer's added tokens; `frame` is the source of its chat template."""
        found = {
            token.content
            for token in tokenizer.added_tokens_decoder.values()
            if token.special or (_is_marked(token.content) and token.content in frame)
        }
        # The longest first: of two that begin alike, the tokenizer takes the longer one too.
        longest_first = sorted(
            (content for content in found if content and not content.isspace()),
            key=lambda content: (-len(content), content),
        )
        self._pattern = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")

    def defuse(self, text: str) -> str:
        """The same text with a space after the first character of each control token."""
        return self._pattern.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def first(self, text: str) -> str | None:
        """The control token that the text begins with, if it does."""
        found = self._pattern.match(text)
        return None if found is None else found[0]


def _is_marked(content: str) -> bool:
    """Whether it is no word and no white space: those are often added, and are plain text."""
    return not content.isspace() and not content.isalnum()
