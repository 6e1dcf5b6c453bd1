"""Which student a spec asks for, and on which device it learns."""

from pathlib import Path
from typing import Literal

import torch

from llkd.base_models import ModelSource, locate
from llkd.errors import DeviceUnavailable, ModelNotAllowed, StudentMismatch
from llkd.model_folder import token_limit
from llkd.precision import choose_precision
from llkd.specs import EncoderSpec, SingleStudent, StaticSpec, TrainingSpec
from llkd.students.base import Student
from llkd.students.encoder import EncoderClassifier
from llkd.students.network import Network
from llkd.students.network_student import NetworkStudent
from llkd.students.saved import Saved
from llkd.students.static import StaticClassifier
from llkd.tokens import TextReader

# The top third of the layers learns (MiniLM: 2 of 6; RoBERTa: 4 of 12): an update then
# costs half and a checkpoint a third of what all layers would. The prototypes behind the
# method's defaults were tuned so, and other shares want other learning rates.
_LEARNING_SHARE = 1 / 3


def build_student(
    spec: SingleStudent, training: TrainingSpec, *, class_count: int, source: ModelSource
) -> Student:
    """Build an untrained student; on a CPU, and with `deterministic` on a GPU, equal
    arguments give equal students.

    Raises:
        ModelNotAllowed: the base model may not be loaded, or reads fewer tokens than asked.
        DeviceUnavailable: a GPU is asked for and there is none.
    """
    folder = locate(spec.model, revision=spec.revision, source=source)
    device = choose_device(training.device)
    choose_kernels(training, device)
    return NetworkStudent(
        _build_network(spec, folder, class_count=class_count, seed=training.seed, device=device),
        TextReader(folder, max_length=spec.max_length),
        max_length=spec.max_length,
        weight_decay=training.weight_decay,
        seed=training.seed,
        device=device,
        precision=choose_precision(training.precision, device),
    )


def continue_student(
    spec: SingleStudent, training: TrainingSpec, *, class_count: int, trained: Path
) -> Student:
    """Build a student that goes on from another one's weights, those of its head included.

    Optimizer, average and random numbers are new, as in `build_student`.

    Args:
        trained: what `Student.save_model` or `llkd.export` wrote, from a source as trusted as
            this process's own files.

    Raises:
        StudentMismatch: it is of another kind, or has other classes or another length.
        DeviceUnavailable: a GPU is asked for and there is none.
    """
    device = choose_device(training.device)
    choose_kernels(training, device)
    saved = Saved.load(trained)
    network = saved.network
    found = (network.kind, network.class_count, saved.max_length)
    if found != (spec.kind, class_count, spec.max_length):
        raise StudentMismatch(
            f"the student to go on from is a {found[0]} of {found[1]} classes that reads "
            f"{found[2]} tokens; asked for is a {spec.kind} of {class_count} that reads "
            f"{spec.max_length}"
        )
    if isinstance(spec, EncoderSpec) and isinstance(network, EncoderClassifier):
        _choose_layers(network, spec)
    return NetworkStudent(
        network,
        saved.reader,
        max_length=spec.max_length,
        weight_decay=training.weight_decay,
        seed=training.seed,
        device=device,
        precision=choose_precision(training.precision, device),
    )


def _choose_layers(network: EncoderClassifier, spec: EncoderSpec) -> None:
    if spec.trainable == "top":
        network.train_top(_LEARNING_SHARE)


def _build_network(
    spec: SingleStudent, folder: Path, *, class_count: int, seed: int, device: torch.device
) -> Network:
    if isinstance(spec, StaticSpec):
        return StaticClassifier.from_base(folder, class_count=class_count, seed=seed, device=device)
    limit = token_limit(folder)
    if limit is not None and spec.max_length > limit:
        raise ModelNotAllowed(
            f"{spec.model!r} reads {limit} tokens at the most; max_length is {spec.max_length}"
        )
    network = EncoderClassifier.from_base(folder, class_count=class_count, seed=seed)
    _choose_layers(network, spec)
    return network


def choose_device(wish: Literal["auto", "cpu", "gpu"]) -> torch.device:
    """The device a training runs on: a GPU when there is one, unless told otherwise.

    Raises:
        DeviceUnavailable: `gpu` was asked for and this process sees none.
    """
    if wish == "cpu":
        return torch.device("cpu")
    if torch.cuda.is_available():
        return torch.device("cuda")
    if wish == "gpu":
        raise DeviceUnavailable("the job asks for a GPU and this worker sees none")
    return torch.device("cpu")


def choose_kernels(training: TrainingSpec, device: torch.device) -> None:
    """Have this process compute with kernels that repeat themselves to the bit, or with any.

    A GPU's fastest kernels add in any order; a CPU's lose little by not doing so.
    """
    torch.use_deterministic_algorithms(training.deterministic or device.type == "cpu")
    # Else every new tensor is blanked, in case one is read before it is written: ours are
    # not, and it costs a few per cent.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
