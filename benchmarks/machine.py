"""What a figure was measured on: processor, memory, versions, commit."""

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from demo.service import ROOT

PACKAGES = ("llkd-service", "torch", "transformers", "onnxruntime", "scikit-learn", "sqlalchemy")


def describe_machine() -> dict[str, str]:
    """Name to value, in the order in which they are best read."""
    return {
        "cpu": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "commit": _commit(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _commit() -> str:
    """Short hash, with `-dirty` for a changed tree; "unknown" outside a checkout."""
    answer = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip() or "unknown"
