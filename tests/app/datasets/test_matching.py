"""An answer is found by its text, whatever stands around it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.datasets.matching import Answers
from app.datasets.rows import Answer, CleanRow

TEXTS = st.lists(st.sampled_from("abcdefgh"), max_size=12)


def answer_row(line: int, text: str, label: str) -> CleanRow:
    return CleanRow(line, text, text.encode(), teacher_label=label)


class TestAnswers:
    @given(given_to=TEXTS, asked=TEXTS.map(lambda texts: list(dict.fromkeys(texts))))
    def test_each_text_gets_its_first_answer_and_the_rest_is_told(
        self, tmp_path_factory: pytest.TempPathFactory, given_to: list[str], asked: list[str]
    ) -> None:
        first: dict[str, int] = {}
        with Answers(tmp_path_factory.mktemp("shelf") / "answers") as answers:
            for line, text in enumerate(given_to):
                first.setdefault(text, line)
                answers.add(answer_row(line, text, f"{text}{line}"))
            repeats = list(answers.finish())
            half = len(asked) // 2
            found = [*answers.of(asked[:half]), *answers.of(asked[half:])]
        assert repeats == [
            (line, first[text], False) for line, text in enumerate(given_to) if line != first[text]
        ]
        assert found == [
            Answer(f"{text}{first[text]}") if text in first else Answer() for text in asked
        ]
        assert answers.matched() == len(first.keys() & set(asked))
        assert answers.unmatched() == sorted(
            line for text, line in first.items() if text not in asked
        )

    def test_the_same_answer_once_more_is_the_same(self, tmp_path: Path) -> None:
        with Answers(tmp_path / "answers") as answers:
            for line, label in enumerate(["x", "x", "y"]):
                answers.add(answer_row(line, "a", label))
            assert list(answers.finish()) == [(1, 0, True), (2, 0, False)]

    def test_every_part_of_an_answer_comes_back(self, tmp_path: Path) -> None:
        row = CleanRow(1, "é", "é".encode(), None, "ü\n", 0.1, '{"a": 0.1}', '{"a": 2}')
        with Answers(tmp_path / "answers") as answers:
            answers.add(row)
            assert list(answers.finish()) == []
            assert answers.of(["é"]) == [Answer("ü\n", 0.1, '{"a": 0.1}', '{"a": 2}')]
