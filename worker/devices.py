"""On what this worker runs jobs: one slot a GPU, or one on the processor."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from core.lifecycle import Queue


@dataclass(frozen=True)
class Device:
    """What one slot gives its child.

    Attributes:
        name: for logs and lease owners.
        kind: the queue that only such slots serve.
        visible: CUDA_VISIBLE_DEVICES of the child; empty hides every GPU.
    """

    name: str
    kind: Queue
    visible: str

    @property
    def queues(self) -> tuple[Queue, ...]:
        return (self.kind, Queue.ANY)


CPU = Device("cpu", Queue.CPU, "")


def find_devices(setting: str, environment: Mapping[str, str]) -> tuple[Device, ...]:
    """Read LLKD_DEVICES: `auto`, `cpu`, or GPU numbers such as `0,1`.

    Raises:
        ValueError: the setting is none of these.
    """
    match setting.strip().lower():
        case "cpu":
            return (CPU,)
        case "auto":
            found = _visible_gpus(environment)
        case listed:
            found = [part.strip() for part in listed.split(",")]
            if not all(part.isdecimal() for part in found) or len(set(found)) < len(found):
                raise ValueError(
                    f"LLKD_DEVICES is {setting!r}; it must be auto, cpu, or different GPU "
                    "numbers joined by commas"
                )
    return tuple(Device(f"gpu{part}", Queue.GPU, part) for part in found) or (CPU,)


def threads_per_slot(configured: int, slots: int) -> int:
    """Threads a child may use, so that all slots together use the cores once."""
    return configured or max(1, len(os.sched_getaffinity(0)) // slots)


def _visible_gpus(environment: Mapping[str, str]) -> list[str]:
    # nvidia-smi lists every GPU of the host, also those this process was told to leave alone.
    if "CUDA_VISIBLE_DEVICES" in environment:
        listed = environment["CUDA_VISIBLE_DEVICES"].split(",")
        return [part.strip() for part in listed if part.strip() not in {"", "-1"}]
    try:
        listing = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=30, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    gpus = [line for line in listing.splitlines() if line.startswith("GPU ")]
    return [str(number) for number in range(len(gpus))]
