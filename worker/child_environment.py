"""The environment that a child is started with."""

import os

from llkd.process_environment import TRAINING_ENVIRONMENT
from worker.devices import Device

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "RAYON_NUM_THREADS",
)


def child_environment(device: Device, *, threads: int, scratch: str) -> dict[str, str]:
    """This process's own without our settings, and with what the child may use.

    Args:
        scratch: a folder for temporary files.
    """
    # Settings go down the pipe: the environment of a process can be read by others.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LLKD_")}
    return {
        **kept,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        **TRAINING_ENVIRONMENT,
        # A killed child cannot tidy up; whoever outlives it does.
        "TMPDIR": scratch,
        "CUDA_VISIBLE_DEVICES": device.visible,
        "PYTHONFAULTHANDLER": "1",
    }
