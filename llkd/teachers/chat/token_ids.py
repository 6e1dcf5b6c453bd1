"""Which token is each code at the beginning of an answer? As vLLM's `/tokenize` says."""

import json
from collections.abc import Sequence

from llkd.teachers.chat.calling import TOKENIZE, Call
from llkd.types import Json

# What is asked does not matter: a template ends the same way before every answer.
_ASKED = {"role": "user", "content": "?"}


async def find_token_ids(call: Call, *, model: str, codes: Sequence[str]) -> dict[str, int] | None:
    """Each code's token id; None if the server does not say, or a code is several tokens.

    A code is tokenized where it will stand, after the template's last words before an
    answer: some tokenizers have one token for "B" there and another for "B" alone.
    Takes one request more than there are codes, of which none generates anything.
    """
    before = await _tokens(call, {"messages": [_ASKED], "add_generation_prompt": True}, model=model)
    if not before:
        return None
    ids: dict[str, int] = {}
    for code in codes:
        answered = [_ASKED, {"role": "assistant", "content": code}]
        fields: Json = {"messages": answered, "add_generation_prompt": False}
        tokens = await _tokens(call, {**fields, "continue_final_message": True}, model=model)
        if tokens is None or tokens[:-1] != before:
            return None
        ids[code] = tokens[-1]
    return ids if len(set(ids.values())) == len(codes) else None


async def _tokens(call: Call, fields: Json, *, model: str) -> list[int] | None:
    body = json.dumps({"model": model, **fields}).encode()
    called = await call(TOKENIZE, body, tokens=0)
    tokens = None if called.reply is None else called.reply.get("tokens")
    if not isinstance(tokens, list):
        return None
    # A bool is an int to Python, but no token.
    return tokens if all(type(token) is int and token >= 0 for token in tokens) else None
