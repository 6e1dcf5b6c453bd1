"""OpenVINO and NNCF call nobody."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from llkd import silent_openvino

ROOT = Path(silent_openvino.__file__).parents[1]


class TestOpenVino:
    def test_sends_nothing_to_its_makers(self, tmp_path: Path) -> None:
        """It would do so as it is imported, by way of a proxy if there is one."""
        with socket.create_server(("127.0.0.1", 0)) as trap:
            trap.setblocking(False)
            proxy = f"http://127.0.0.1:{trap.getsockname()[1]}"
            proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), proxy)
            # It is silent of itself where it believes to be tested.
            quiet = {"CI", "GITHUB_ACTIONS", "TF_BUILD", "JENKINS_URL"}
            kept = {name: value for name, value in os.environ.items() if name not in quiet}
            subprocess.run(
                [sys.executable, "-c", "import llkd.engines.openvino, time; time.sleep(3)"],
                env={**kept, **proxies, "HOME": str(tmp_path)},
                cwd=ROOT,
                check=True,
            )
            # Nobody has connected, so there is nobody to accept; nor is this machine numbered.
            with pytest.raises(BlockingIOError):
                trap.accept()
        assert list(tmp_path.iterdir()) == []

    def test_and_nncf_are_imported_where_silence_was_asked_for(self) -> None:
        rooms = ("app", "core", "llkd", "worker")
        files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
        importing = re.compile(r"^\s*(import|from) (openvino|nncf)\b", re.MULTILINE)
        found = sorted(path.name for path in files if importing.search(path.read_text()))
        assert found == ["quantize.py", "silent_openvino.py"]
        # There nncf comes after silent_openvino.
        text = (ROOT / "llkd" / "quantize.py").read_text()
        assert text.index("silent_openvino") < text.index("import nncf")
