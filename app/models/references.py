"""What can name a model: an id, a name, `name@alias`."""

import re

_WORD = "[a-z0-9][a-z0-9._-]{0,63}"
NAME = re.compile(_WORD)
REFERENCE = re.compile(rf"{_WORD}(@{_WORD})?|model_[0-9A-HJKMNP-TV-Z]{{26}}")
# `tickets@3` and `tickets@v3` would be read as the third version, wherever they point.
ALIAS = re.compile(rf"(?!v?\d+$){_WORD}")
