"""What of a machine decides which engine is fast and exact on it."""

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from llkd.types import Json

CPUINFO = Path("/proc/cpuinfo")
GPUS = Path("/proc/driver/nvidia/gpus")
# Instructions that change an engine's kernels; the others do not.
TELLING_FLAGS = frozenset(
    {
        "avx2",
        "fma",
        "avx_vnni",
        "avx512f",
        "avx512_vnni",
        "avx512_bf16",
        "avx512_fp16",
        "amx_tile",
        "amx_bf16",
        "amx_int8",
        # arm64
        "asimddp",
        "bf16",
        "i8mm",
        "sve",
    }
)
BF16_FLAGS = frozenset({"amx_bf16", "avx512_bf16"})
# One of the first two is installed.
PACKAGES = ("onnxruntime", "onnxruntime-gpu", "openvino")


@dataclass(frozen=True)
class Machine:
    """Figures of one machine hold on another that is equal to it.

    Attributes:
        processor: its name, family and model; clouds often hide the exact name.
        flags: those of `TELLING_FLAGS` that it has, in alphabetical order.
        gpus: the names of NVIDIA GPUs, in alphabetical order.
        packages: name to version, of those installed.
    """

    processor: str
    flags: tuple[str, ...]
    gpus: tuple[str, ...]
    packages: Mapping[str, str]

    @property
    def has_bf16(self) -> bool:
        """Whether bfloat16 is computed as such and not by way of float32."""
        return not BF16_FLAGS.isdisjoint(self.flags)

    def to_json(self) -> Json:
        return {**asdict(self), "flags": list(self.flags), "gpus": list(self.gpus)}


@cache
def this_machine() -> Machine:
    """The machine that this process runs on."""
    return read_machine(CPUINFO, GPUS)


def read_machine(cpuinfo: Path, gpus: Path) -> Machine:
    """Read what Linux says of the machine; where it says nothing, little is known."""
    found = _first_processor(cpuinfo)
    flags = found.get("flags", found.get("Features", "")).split()
    name = found.get("model name", platform.machine())
    numbers = [f"{key} {found[f'cpu {key}']}" for key in ("family",) if f"cpu {key}" in found]
    numbers += [f"model {found['model']}"] if "model" in found else []
    return Machine(
        processor=f"{name} ({', '.join(numbers)})" if numbers else name,
        flags=tuple(sorted(TELLING_FLAGS.intersection(flags))),
        gpus=tuple(sorted(_gpu_names(gpus))),
        packages={each: its for each in PACKAGES if (its := _version(each)) is not None},
    )


def _first_processor(cpuinfo: Path) -> dict[str, str]:
    if not cpuinfo.exists():
        return {}
    first = cpuinfo.read_text(encoding="utf-8").split("\n\n", maxsplit=1)[0]
    pairs = (line.partition(":") for line in first.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _gpu_names(gpus: Path) -> list[str]:
    found = []
    for path in gpus.glob("*/information"):
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "Model":
                found.append(value.strip())
    return found


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
