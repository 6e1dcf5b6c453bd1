"""ONNX Runtime, told to send nothing to its makers, which it does by default.

It reads the variable once, as it is loaded; its own `disable_telemetry_events` comes after the
first message. Nothing else imports it.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime

__all__ = ["onnxruntime"]
