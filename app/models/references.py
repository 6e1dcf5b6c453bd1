"""What can name a model: an id, a name, `name@alias`."""

import re

from core.ids import MODEL_REFERENCE

_WORD = "[a-z0-9][a-z0-9._-]{0,63}"
NAME = re.compile(_WORD)
REFERENCE = re.compile(MODEL_REFERENCE)
# `tickets@3` and `tickets@v3` would be read as the third version, wherever they point.
ALIAS = re.compile(rf"(?!v?\d+$){_WORD}")
