"""ONNX Runtime calls nobody."""

import ast
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from llkd import silent_runtime

ROOT = Path(silent_runtime.__file__).parents[1]


class TestTheRuntime:
    def test_sends_nothing_to_its_makers(self) -> None:
        """It would do so within a second of being loaded, by way of a proxy if there is one."""
        with socket.create_server(("127.0.0.1", 0)) as trap:
            trap.setblocking(False)
            proxy = f"http://127.0.0.1:{trap.getsockname()[1]}"
            proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), proxy)
            subprocess.run(
                [sys.executable, "-c", "import llkd.predictor, time; time.sleep(3)"],
                env={**os.environ, **proxies},
                cwd=ROOT,
                check=True,
            )
            # Nobody has connected, so there is nobody to accept.
            with pytest.raises(BlockingIOError):
                trap.accept()

    def test_is_imported_from_nowhere_else(self) -> None:
        rooms = ("app", "core", "llkd", "worker")
        files = [path for room in rooms for path in (ROOT / room).rglob("*.py")]
        found = [path.name for path in files if "onnxruntime" in imported(path)]
        assert found == ["silent_runtime.py"]


def imported(path: Path) -> set[str]:
    """The modules that a file imports; a program that it only quotes imports nothing."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.partition(".")[0])
    return found
