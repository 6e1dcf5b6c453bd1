"""What can name a model: an id, a name, `name@alias`."""

import re

from core.ids import MODEL_REFERENCE, WORD

NAME = re.compile(WORD)
REFERENCE = re.compile(MODEL_REFERENCE)
# `tickets@3` and `tickets@v3` would be read as the third version, wherever they point.
ALIAS = re.compile(rf"(?!v?\d+$){WORD}")
