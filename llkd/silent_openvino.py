"""OpenVINO, told to send nothing to its makers, which it does as soon as it is imported.

Its converter, and NNCF, report through the package `openvino_telemetry`, and do without where
that cannot be imported. Nothing else imports either of them.
"""

import sys

# What stands here as None counts as not installed.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]

import numpy as np  # noqa: E402 - see above
import openvino  # noqa: E402

# A tensor's first array sets up the bridge to numpy. Two threads that do it at once wait for
# each other for ever; an import is one thread's.
_ = openvino.Tensor(np.zeros(1, dtype=np.float32)).data

__all__ = ["openvino"]
