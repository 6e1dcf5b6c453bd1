"""What a supervisor and its child say to each other: one assignment down, JSON lines up."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from core.db.repositories.claims import Claim
from core.ids import JobId

Json = dict[str, Any]

# Exit codes. 75 is EX_TEMPFAIL of sysexits.h: not done, and no fault of the job.
EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_CRASHED = 70
EXIT_RELEASED = 75
EXIT_GHOST = 76


@dataclass(frozen=True)
class Part:
    """The shard that an assistant begins with, and how it claims the next one.

    Attributes:
        worker: the name its shards are leased to; its supervisor renews them by it.
    """

    shard: int
    attempt: int
    first_row: int
    rows: int
    worker: str
    lease_seconds: float


@dataclass(frozen=True)
class Assignment:
    """All that a child is told; it reads no environment and no settings of its own.

    Attributes:
        attempt: at the job; an assistant's is the owner's.
        predict_engine: what models are to be served by, as the operator says it; `auto`: by what
            was measured.
        supervisor_pid: whose death is the child's death.
        database_url: with its password, hence by pipe, never on a command line.
        part: what an assistant fills; None for the whole job.
    """

    tenant_id: str
    job_id: str
    attempt: int
    supervisor_pid: int
    database_url: str
    data_dir: str
    models_dir: str | None
    allowed_models: tuple[str, ...]
    threads: int
    checkpoint_seconds: float
    # Servers that teachers may stand at, and the keys of those of this job by teacher id.
    teacher_hosts: tuple[str, ...] = ()
    teacher_keys: dict[str, str] = field(default_factory=dict, repr=False)
    part: Part | None = None
    predict_engine: str = "auto"

    @property
    def claim(self) -> Claim:
        return Claim(JobId(self.job_id), self.attempt)

    @property
    def artifacts_dir(self) -> Path:
        return Path(self.data_dir) / "artifacts"

    @property
    def checkpoints_dir(self) -> Path:
        return checkpoints_dir(Path(self.data_dir), self.job_id)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Assignment":
        fields = json.loads(text)
        lists = {name: tuple(fields[name]) for name in ("allowed_models", "teacher_hosts")}
        part = None if fields["part"] is None else Part(**fields["part"])
        return cls(**{**fields, **lists, "part": part})


def checkpoints_dir(data_dir: Path, job_id: str) -> Path:
    """Where a job's checkpoints stand; the whole folder goes when the job ends."""
    return data_dir / "checkpoints" / job_id


@dataclass(frozen=True)
class Advanced:
    """Work was done: `progress` counts it, `detail` tells a person."""

    progress: int
    detail: Json


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint is on disk; nobody finds it before the pointer is in the job's row."""

    pointer: Json


@dataclass(frozen=True)
class Waiting:
    """Others do what is left, and their own supervisors watch them: this is no stall."""


@dataclass(frozen=True)
class Succeeded:
    result: Json


@dataclass(frozen=True)
class Failed:
    """The job cannot succeed; `problem` is what its row will say."""

    problem: Json


@dataclass(frozen=True)
class Parked:
    """The job's teacher cannot be asked for so many seconds; `problem` says why."""

    problem: Json
    after_s: float


@dataclass(frozen=True)
class Crashed:
    """Something unforeseen: where, and its type. Never its message, which may quote a text."""

    where: str


Ending = Succeeded | Failed | Parked | Crashed
Message = Advanced | CheckpointSaved | Waiting | Ending


def encode(message: Message) -> bytes:
    """One line."""
    body = {"kind": type(message).__name__, **asdict(message)}
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Read one line.

    Raises:
        ValueError: the line is not a message.
    """
    try:
        body = json.loads(line)
        kind = _KINDS[body.pop("kind")]
        message: Message = kind(**body)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not a message: {line[:80]!r}") from error
    return message


_KINDS: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (Advanced, CheckpointSaved, Waiting, Succeeded, Failed, Parked, Crashed)
}

__all__ = [
    "EXIT_CRASHED",
    "EXIT_DONE",
    "EXIT_FAILED",
    "EXIT_GHOST",
    "EXIT_RELEASED",
    "Advanced",
    "Assignment",
    "CheckpointSaved",
    "Crashed",
    "Ending",
    "Failed",
    "Json",
    "Message",
    "Parked",
    "Part",
    "Succeeded",
    "Waiting",
    "checkpoints_dir",
    "decode",
    "encode",
]
