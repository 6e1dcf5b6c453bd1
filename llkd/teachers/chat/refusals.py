"""What does a 400 mean for the one text that it answers?"""

from collections.abc import Iterator

from llkd.types import AnswerStatus

# As servers name them in `code`, `type` or `innererror.code`: Azure and OpenAI; OpenRouter's
# and Azure's gateways say the same in words.
_REFUSAL_CODES = {
    "content_filter",
    "content_policy_violation",
    "responsibleaipolicyviolation",
    "invalid_prompt",
    "moderation_blocked",
}
_REFUSAL_WORDS = ("content management policy", "content filter", "flagged as potentially violating")
_TOO_LONG_CODES = {
    "context_length_exceeded",
    "exceed_context_size_error",
    "string_above_max_length",
}
# OpenAI, vLLM and OpenRouter; SGLang and vLLM; llama.cpp; gateways.
_TOO_LONG_WORDS = (
    "maximum context length",
    "context length (",
    "available context size",
    "context window",
    "max_model_len",
    "prompt is too long",
)
# Servers nest what they say of an error: {"error": {"innererror": {"code": ...}}}.
_DEEPEST = 4


def status_of(body: object) -> AnswerStatus:
    """`refused` for a content filter, `too_long` for a full context, else `failed`."""
    codes = set(_said(body, ("code", "type")))
    words = " ".join(_said(body, ("message", "error", "detail")))
    if codes & _REFUSAL_CODES or any(each in words for each in _REFUSAL_WORDS):
        return AnswerStatus.REFUSED
    if codes & _TOO_LONG_CODES or any(each in words for each in _TOO_LONG_WORDS):
        return AnswerStatus.TOO_LONG
    return AnswerStatus.FAILED


def complains_of(body: object, field: str) -> bool:
    """Whether an error says that it is about this field of the request."""
    if field in set(_said(body, ("param",))):
        return True
    return any(field in said for said in _said(body, ("message", "error", "detail", "msg")))


def _said(value: object, keys: tuple[str, ...], depth: int = 0) -> Iterator[str]:
    """The strings under these keys, at any depth, in lower case."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        for each in value:
            yield from _said(each, keys, depth + 1)
    elif isinstance(value, dict):
        for key, each in value.items():
            if isinstance(each, str) and key in keys:
                yield each.casefold()
            else:
                yield from _said(each, keys, depth + 1)
