"""What stands around each text, and what each label is as a continuation of it."""

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from llkd.errors import TeacherUnusable
from llkd.teachers.causal_lm.control_tokens import ControlTokens
from llkd.teachers.causal_lm.prompt import Prompt

# A chat template cannot alter these without altering every text.
_TEXT = "Qt7wTextw7tQ"
_ANSWER = "Qa9xAnswerx9aQ"
# What a template may do to a text shows on this one: trimming, escaping, dropping lines.
_PROBE = "\n  a 'b' \"c\" <d> & {{e}} \\n \n\n"

# Some templates tell the model what day it is; then a teacher would answer otherwise
# tomorrow. A macro hides the function of this name that transformers gives to templates.
_ONE_DAY = "{%- macro strftime_now(format) -%}26 Jul 2024{%- endmacro -%}"

_Message = dict[str, str]


@dataclass(frozen=True)
class Frame:
    """The strings that one text is put between.

    Attributes:
        prefix: all that comes before the text; the same for every text.
        suffix: all that comes after it and before the answer.
        continuations: K strings, each label as the model would write it, its end included:
            no one begins with another, so that they exclude one another.
        control: what a text may not contain.
    """

    prefix: str
    suffix: str
    continuations: tuple[str, ...]
    control: ControlTokens

    def around(self, middle: str) -> str:
        """The whole prompt of a text that was made harmless."""
        return self.prefix + middle + self.suffix


def make_frame(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> Frame:
    """A chat where the tokenizer has a template for one, else plain text.

    Raises:
        TeacherUnusable: the template cannot hold a system text, a user's text and an answer.
    """
    if tokenizer.chat_template is None:
        return _plain_frame(tokenizer, prompt)
    return _chat_frame(tokenizer, prompt)


def _plain_frame(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> Frame:
    control = ControlTokens(tokenizer)
    user = control.defuse(prompt.user(_TEXT))
    before, after = _split(user, _TEXT)
    # Models that were trained with a token before every text need it here as well.
    empty = tokenizer("").input_ids
    begins = bool(empty) and empty[0] == tokenizer.bos_token_id
    first = tokenizer.bos_token if begins else ""
    return Frame(
        prefix=f"{first}{control.defuse(prompt.system)}\n\n{before}",
        suffix=f"{after}\nLabel:",
        continuations=tuple(f" {control.defuse(answer)}\n" for answer in prompt.answers),
        control=control,
    )


def _chat_frame(tokenizer: PreTrainedTokenizerBase, prompt: Prompt) -> Frame:
    chat = _Chat(tokenizer, ControlTokens(tokenizer, frame=tokenizer.get_chat_template()))
    system, user = (chat.control.defuse(part) for part in (prompt.system, prompt.user(_TEXT)))
    messages = chat.opening(system, user)
    asked = chat.render(messages)
    prefix, suffix = _split(asked, _TEXT)
    lead, end = chat.around_answer(messages, asked)
    frame = Frame(
        prefix=prefix,
        suffix=suffix,
        continuations=tuple(lead + chat.control.defuse(answer) + end for answer in prompt.answers),
        control=chat.control,
    )
    probed = [
        {**message, "content": message["content"].replace(_TEXT, _PROBE)} for message in messages
    ]
    if chat.render(probed) != frame.around(_PROBE):
        raise TeacherUnusable("the model's chat template changes the texts it is given")
    return frame


class _Chat:
    """Renders messages by the template of the model's folder, in transformers' sandbox."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase, control: ControlTokens) -> None:
        self._tokenizer = tokenizer
        self._template = _ONE_DAY + tokenizer.get_chat_template()
        self.control = control

    def opening(self, system: str, user: str) -> list[_Message]:
        """The system's and the user's message, or one of both where there is no system's.

        Some templates refuse such a message, and some leave it out without a word.
        """
        for messages in _openings(system, user):
            try:
                rendered = self.render(messages)
            except _Refused as error:
                refusal = error
                continue
            if system in rendered:
                return messages
            refusal = _Refused("it leaves the task out")
        raise TeacherUnusable(f"the model's chat template cannot be used: {refusal}")

    def around_answer(self, messages: list[_Message], asked: str) -> tuple[str, str]:
        """White space that comes before an answer, and the token that ends one."""
        usual = self._tokenizer.eos_token or "\n"
        try:
            answered = self.render([*messages, {"role": "assistant", "content": _ANSWER}])
        except _Refused:
            return "", usual
        before, _, after = answered.partition(_ANSWER)
        lead = before.removeprefix(asked) if before.startswith(asked) else ""
        return "" if lead.strip() else lead, self.control.first(after.lstrip()) or usual

    def render(self, messages: list[_Message]) -> str:
        """The chat as one string, up to where the assistant's answer begins or ends.

        Raises:
            _Refused: the template takes no such chat.
        """
        is_asked = messages[-1]["role"] == "user"
        try:
            rendered = self._tokenizer.apply_chat_template(
                messages,
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=is_asked,
                # An answer is a label at once; templates without thinking do not read this.
                enable_thinking=False,
            )
        except (TemplateError, TypeError, ValueError) as error:
            raise _Refused(str(error)) from error
        return str(rendered)


class _Refused(Exception):
    """A template that takes no such chat, and why."""


def _openings(system: str, user: str) -> Iterator[list[_Message]]:
    yield [{"role": "system", "content": system}, {"role": "user", "content": user}]
    yield [{"role": "user", "content": f"{system}\n\n{user}"}]


def _split(rendered: str, sentinel: str) -> tuple[str, str]:
    before, found, after = rendered.partition(sentinel)
    if not found or sentinel in after:
        raise TeacherUnusable("the model's chat template does not show the user's text once")
    return before, after
