"""A machine without configured keys has one key, in a file that nobody else can read."""

import base64
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from core.secret_key_file import FILE_NAME, KeyFileUnsafe, open_vault
from core.secrets import SecretBox, SecretUnreadable, Vault

SEALS = """
import json, sys
from pathlib import Path
from pydantic import SecretStr
from core.secret_key_file import open_vault
print("ready", flush=True)
sys.stdin.readline()
box = open_vault([], data_dir=Path(sys.argv[1])).seal(SecretStr("canary"), owner="t")
print(json.dumps(box.to_json()))
"""


def opens(vault: Vault, *, sealed_by: Vault) -> bool:
    box = sealed_by.seal(SecretStr("secret"), owner="t")
    try:
        return vault.open(box, owner="t").get_secret_value() == "secret"
    except SecretUnreadable:
        return False


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


class TestTheFirstStart:
    def test_makes_a_file_for_this_user_alone(self, tmp_path: Path) -> None:
        folder = tmp_path / "not" / "there"
        before = os.umask(0)
        try:
            open_vault([], data_dir=folder)
        finally:
            os.umask(before)
        assert stat.S_IMODE((folder / FILE_NAME).stat().st_mode) == 0o600
        # No draft is left.
        assert names_in(folder) == [FILE_NAME]

    def test_makes_another_key_on_another_machine(self, tmp_path: Path) -> None:
        one, other = (open_vault([], data_dir=tmp_path / name) for name in "ab")
        assert opens(one, sealed_by=one)
        assert not opens(one, sealed_by=other)

    def test_of_several_processes_at_once_makes_one_key(self, tmp_path: Path) -> None:
        command = [sys.executable, "-c", SEALS, str(tmp_path)]
        root = Path(__file__).parents[2]
        starting = [
            subprocess.Popen(
                command, cwd=root, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            for _ in range(2)
        ]
        for process in starting:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in starting:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=60)[0] for process in starting]
        vault = open_vault([], data_dir=tmp_path)
        for answer in answers:
            box = SecretBox.from_json(json.loads(answer))
            assert vault.open(box, owner="t").get_secret_value() == "canary"
        assert names_in(tmp_path) == [FILE_NAME]

    def test_loses_to_a_process_that_was_faster(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        link = os.link

        def late(source: Path, target: Path) -> None:
            monkeypatch.setattr(os, "link", link)
            open_vault([], data_dir=tmp_path)
            link(source, target)

        monkeypatch.setattr(os, "link", late)
        assert opens(open_vault([], data_dir=tmp_path), sealed_by=open_vault([], data_dir=tmp_path))
        assert names_in(tmp_path) == [FILE_NAME]


class TestALaterStart:
    def test_reads_the_same_key(self, tmp_path: Path) -> None:
        first = open_vault([], data_dir=tmp_path)
        assert opens(open_vault([], data_dir=tmp_path), sealed_by=first)

    def test_leaves_the_file_alone_when_keys_are_configured(self, tmp_path: Path) -> None:
        key = SecretStr("env:" + base64.b64encode(bytes(32)).decode())
        assert open_vault([key], data_dir=tmp_path).key_ids == {"env"}
        assert names_in(tmp_path) == []

    def test_takes_the_files_line_from_the_environment_too(self, tmp_path: Path) -> None:
        from_file = open_vault([], data_dir=tmp_path)
        line = SecretStr((tmp_path / FILE_NAME).read_text().strip())
        assert opens(open_vault([line], data_dir=tmp_path), sealed_by=from_file)


class TestAFileThatIsNotSafe:
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
    def test_can_be_touched_by_others(self, mode: int, tmp_path: Path) -> None:
        open_vault([], data_dir=tmp_path)
        (tmp_path / FILE_NAME).chmod(mode)
        with pytest.raises(KeyFileUnsafe, match="chmod 600"):
            open_vault([], data_dir=tmp_path)

    @pytest.mark.parametrize("is_dangling", [False, True])
    def test_is_a_link_that_leads_elsewhere(self, is_dangling: bool, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        if not is_dangling:
            open_vault([], data_dir=elsewhere)
        folder = tmp_path / "data"
        folder.mkdir()
        (folder / FILE_NAME).symlink_to(elsewhere / FILE_NAME)
        with pytest.raises(KeyFileUnsafe, match="cannot be opened"):
            open_vault([], data_dir=folder)
        assert elsewhere.exists() is not is_dangling

    def test_is_no_plain_file(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / FILE_NAME, 0o600)
        with pytest.raises(KeyFileUnsafe, match="is not a file"):
            open_vault([], data_dir=tmp_path)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
    def test_is_another_users(self, tmp_path: Path) -> None:
        open_vault([], data_dir=tmp_path)
        os.chown(tmp_path / FILE_NAME, 65534, -1)
        with pytest.raises(KeyFileUnsafe, match="of the user that runs"):
            open_vault([], data_dir=tmp_path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"canary", b"\xff\xfe", b"a:QUJD\n", b"x" * 10_000],
        ids=["empty", "no pair", "no text", "short", "long"],
    )
    def test_holds_no_key(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / FILE_NAME
        path.write_bytes(content)
        path.chmod(0o600)
        with pytest.raises(KeyFileUnsafe, match="ID:BASE64") as refused:
            open_vault([], data_dir=tmp_path)
        assert "canary" not in repr(refused.value)
