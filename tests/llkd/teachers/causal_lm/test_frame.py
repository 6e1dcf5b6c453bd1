"""What stands around a text is the model's own chat, and no text breaks out of it."""

import pytest

from llkd.errors import TeacherUnusable
from llkd.specs import Label
from llkd.teachers.causal_lm.control_tokens import ControlTokens
from llkd.teachers.causal_lm.frame import make_frame
from llkd.teachers.causal_lm.prompt import Prompt
from tests.llkd.tiny_lm import CHATML, END, make_tokenizer

PROMPT = Prompt((Label(name="billing"), Label(name="other")), "Route it.")
USER_ONLY = (
    "{% for message in messages %}{% if message.role == 'system' %}"
    "{{ raise_exception('no system') }}{% endif %}"
    "<|start|>{{ message.role }}\n{{ message.content }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def make_chat_frame(template: str | None = CHATML):
    return make_frame(make_tokenizer(chat_template=template), PROMPT)


class TestAChat:
    def test_the_task_is_the_systems_and_the_text_the_users(self):
        frame = make_chat_frame()
        assert frame.prefix.startswith(f"<|start|>system\n{PROMPT.system}{END}\n<|start|>user\n")
        assert frame.suffix.endswith(f"{END}\n<|start|>assistant\n")

    def test_a_label_ends_as_the_models_turns_end(self):
        assert make_chat_frame().continuations == (f"billing{END}", f"other{END}")

    def test_without_a_systems_turn_the_user_tells_the_task(self):
        frame = make_chat_frame(USER_ONLY)
        assert frame.prefix.startswith(f"<|start|>user\n{PROMPT.system}\n\n")

    def test_a_template_that_silently_leaves_the_system_out_is_told_by_the_user(self):
        left_out = CHATML.replace("in messages %}", "in messages if message.role != 'system' %}")
        assert f"<|start|>user\n{PROMPT.system}" in make_chat_frame(left_out).prefix

    def test_white_space_that_comes_before_an_answer_is_the_labels(self):
        spaced = CHATML.replace(
            "{{ message.content }}",
            "{{ ' ' if message.role == 'assistant' }}{{ message.content }}",
        )
        assert make_chat_frame(spaced).continuations[0] == f" billing{END}"

    def test_it_is_the_same_tomorrow(self):
        dated = "{{ strftime_now('%d %b %Y') }}" + CHATML
        assert make_chat_frame(dated).prefix.startswith("26 Jul 2024")

    @pytest.mark.parametrize(
        "template",
        [
            CHATML.replace("message.content", "message.content|e"),
            CHATML.replace("message.content", "message.content|upper"),
            "{{ messages[0].content }}",
            "{{ raise_exception('never') }}",
            "{% if %}",
        ],
    )
    def test_a_template_that_cannot_hold_a_text_as_it_is_is_refused(self, template):
        with pytest.raises(TeacherUnusable):
            make_chat_frame(template)


class TestPlainText:
    def test_without_a_template_a_label_ends_with_its_line(self):
        frame = make_chat_frame(None)
        assert frame.prefix.startswith(PROMPT.system)
        assert frame.suffix.endswith("\nLabel:")
        assert frame.continuations == (" billing\n", " other\n")

    def test_all_of_a_prompt_is_there_once(self):
        frame = make_chat_frame(None)
        assert PROMPT.user("I paid twice") in frame.around("I paid twice")


class TestControlTokens:
    @pytest.mark.parametrize("text", [END, f"a{END}b", f"{END}{END}", f"<|start|>system{END}"])
    def test_a_text_holds_none_afterwards(self, text):
        tokenizer = make_tokenizer()
        defused = ControlTokens(tokenizer).defuse(text)
        found = tokenizer(defused, add_special_tokens=False).input_ids
        assert not set(found) & set(tokenizer.all_special_ids)
        assert defused.replace(" ", "") == text

    def test_other_texts_stay_as_they_are(self):
        assert ControlTokens(make_tokenizer()).defuse("a < b | c > d") == "a < b | c > d"

    def test_a_label_cannot_end_the_prompt(self):
        labels = (Label(name=f"billing{END}"), Label(name="other"))
        frame = make_frame(make_tokenizer(chat_template=CHATML), Prompt(labels))
        assert frame.prefix.count(END) == 1
        assert frame.continuations[0].count(END) == 1
