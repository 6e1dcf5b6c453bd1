"""The table and its sentence say what the reports say."""

import io

import pytest
from rich.console import Console

from demo.results import ResultRow, as_table, stage_seconds, student_row, teacher_row, verdict
from tests.demo import recorded


def rows(
    *, llkd_f1: float, all_f1: float, spread: float = 0.02
) -> tuple[ResultRow, ResultRow, ResultRow]:
    llkd = recorded.read_report(student_f1=llkd_f1, spread=spread)
    everything = recorded.read_report(student_f1=all_f1, gradient=9600, unique=3200, spread=spread)
    return (
        teacher_row(recorded.read_job(), llkd, name="teacher"),
        student_row(llkd, name="student, LLKD"),
        student_row(everything, name="student, all"),
    )


def printed(table: object, *, width: int = 120) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue()


class TestTable:
    def test_each_line_carries_its_reports_figures(self) -> None:
        text = printed(as_table(rows(llkd_f1=0.74, all_f1=0.70), title="Scores"))
        lines = {line.strip().split("  ")[0]: line for line in text.splitlines()}
        teacher, llkd, everything = lines["teacher"], lines["student, LLKD"], lines["student, all"]
        assert "70.5" in teacher
        assert "68.1 (66.1-70.1)" in teacher
        assert " 12 s" in teacher
        assert "74.0 (72.0-76.0)" in llkd
        assert "1,310 (41%)" in llkd
        assert "3,104" in llkd
        assert " 61 s" in llkd
        assert "3,200 (100%)" in everything
        assert "9,600" in everything
        assert " 3.0 " in everything

    def test_no_figure_is_cut_in_a_terminal_of_80_columns(self) -> None:
        text = printed(as_table(rows(llkd_f1=0.74, all_f1=0.70), title="Scores"), width=80)
        for figure in ("68.1 (66.1-70.1)", "student, LLKD", "3,104", "61 s"):
            assert figure in text
        assert "…" not in text

    def test_a_teacher_has_no_sample_counts(self) -> None:
        row = rows(llkd_f1=0.74, all_f1=0.70)[0]
        assert (row.unique, row.gradient, row.pool) == (None, None, None)


class TestVerdict:
    def test_a_clear_gain_is_called_above(self) -> None:
        said = verdict(*rows(llkd_f1=0.78, all_f1=0.70))
        assert "8.0 points above training without a selection" in said
        assert "32 % of its gradient samples" in said
        assert "9.9 points above the teacher's" in said

    def test_a_clear_loss_is_called_below(self) -> None:
        said = verdict(*rows(llkd_f1=0.62, all_f1=0.70))
        assert "8.0 points below training without a selection" in said
        assert "6.1 points below the teacher's" in said

    @pytest.mark.parametrize("llkd_f1", [0.69, 0.71])
    def test_a_difference_within_the_interval_is_called_level(self, llkd_f1: float) -> None:
        said = verdict(*rows(llkd_f1=llkd_f1, all_f1=0.70))
        assert "level with training without a selection" in said


class TestStageSeconds:
    def test_only_finished_stages_count(self) -> None:
        assert stage_seconds(recorded.read_job()) == {"label": 12.5}
