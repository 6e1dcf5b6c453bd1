"""Does .env.example tell an operator the truth about every setting?"""

import os
import re
from pathlib import Path

import pytest

from core.config import Settings, load_settings

EXAMPLE = Path(__file__).parents[1] / ".env.example"
LINE = re.compile(r"#LLKD_([A-Z_]+)=(.*)")
UNSET_BY_DEFAULT = {name for name, field in Settings.model_fields.items() if field.default is None}


def read_example() -> dict[str, str]:
    """Return each setting's field name and its value as written."""
    matches = (LINE.fullmatch(line) for line in EXAMPLE.read_text(encoding="utf-8").splitlines())
    return {match[1].lower(): match[2] for match in matches if match}


@pytest.fixture
def bare_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and no setting in the environment."""
    for name in [name for name in os.environ if name.startswith("LLKD_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class TestEnvExample:
    def test_every_setting_has_exactly_one_line(self) -> None:
        lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
        names = [match[1].lower() for match in map(LINE.fullmatch, lines) if match]
        assert sorted(names) == sorted(Settings.model_fields)

    def test_every_setting_has_a_comment_above_it(self) -> None:
        lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
        bare = [
            line
            for above, line in zip(["", *lines], lines, strict=False)
            if LINE.fullmatch(line) and not re.match(r"# \S", above)
        ]
        assert bare == []

    def test_uncommented_lines_change_nothing(self, bare_folder: Path) -> None:
        defaults = load_settings()
        written = [
            f"LLKD_{name.upper()}={value}"
            for name, value in read_example().items()
            if name not in UNSET_BY_DEFAULT
        ]
        (bare_folder / ".env").write_text("\n".join(written), encoding="utf-8")
        assert load_settings() == defaults

    @pytest.mark.parametrize("name", sorted(UNSET_BY_DEFAULT))
    def test_the_example_of_an_unset_setting_is_taken(self, name: str, bare_folder: Path) -> None:
        line = f"LLKD_{name.upper()}={read_example()[name]}"
        (bare_folder / ".env").write_text(line, encoding="utf-8")
        assert getattr(load_settings(), name) is not None
