"""What says nothing, and who is asked about it."""

from collections import Counter

import pytest

from llkd.content_free import CONTENT_FREE_TEXTS, wants_content_free
from llkd.specs import (
    DistillationSpec,
    EnsembleTeacher,
    FewShotTeacher,
    HuggingFaceTeacher,
    Label,
    OpenAITeacher,
    TeacherSpec,
)
from llkd.teachers.chat.decks import MOST_DECKS, deck_number

SERVER = OpenAITeacher(base_url="http://vllm:8000/v1", model="m")


def spec(teacher: TeacherSpec, calibration: str) -> DistillationSpec:
    labels = [Label(name="a").model_dump(), Label(name="b").model_dump()]
    return DistillationSpec.model_validate(
        {"labels": labels, "teacher": teacher.model_dump(), "calibration": calibration}
    )


class TestWantsContentFree:
    @pytest.mark.parametrize(
        ("teacher", "calibration", "gold_fits", "wanted"),
        [
            (SERVER, "auto", False, True),
            (SERVER, "auto", True, False),
            (SERVER, "contextual", True, True),
            (SERVER, "temperature", False, False),
            (SERVER, "none", False, False),
            (HuggingFaceTeacher(model="local/lm"), "auto", False, True),
            (FewShotTeacher(), "auto", False, False),
            (FewShotTeacher(), "contextual", False, True),
            (EnsembleTeacher(teachers=(SERVER, FewShotTeacher())), "auto", False, False),
        ],
    )
    def test_by_default_a_language_model_without_gold_is_asked(
        self, teacher: TeacherSpec, calibration: str, gold_fits: bool, wanted: bool
    ) -> None:
        assert wants_content_free(spec(teacher, calibration), gold_fits=gold_fits) is wanted


class TestContentFreeTexts:
    @pytest.mark.parametrize("count", range(1, MOST_DECKS + 1))
    def test_they_are_spread_evenly_over_a_chat_teacher_s_decks(self, count: int) -> None:
        used = Counter(deck_number(text, count=count) for text in CONTENT_FREE_TEXTS)
        assert len(used) == count
        assert max(used.values()) - min(used.values()) <= 1
