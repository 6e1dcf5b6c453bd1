"""What this process was told by its environment, read once.

Entry points call `load_settings()` and pass values down. Every variable has its
line in `.env.example`.
"""

from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url

from core.egress.allow_list import DEFAULT_TEACHER_HOSTS

MIB = 1024 * 1024
MIN_KEY_LENGTH = 24
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class Settings(BaseSettings):
    """Everything an operator can set; frozen after start."""

    model_config = SettingsConfigDict(
        env_prefix="LLKD_", env_file=".env", extra="ignore", frozen=True
    )

    data_dir: Path = Path("var")
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    # "tenant:key" pairs; without any, only loopback is served, as tenant "default".
    api_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()

    max_json_bytes: int = Field(default=MIB, ge=1024)
    # Ten thousand texts of an email's length.
    max_predict_bytes: int = Field(default=16 * MIB, ge=1024)
    max_upload_bytes: int = Field(default=2048 * MIB, ge=1024)
    # Of a tenant's datasets and models together; None for no limit.
    max_tenant_bytes: int | None = Field(default=None, ge=MIB)
    max_queued_jobs: int = Field(default=1000, ge=1)

    # Students and local teachers: `minilm`, folders below models_dir, and hub ids.
    models_dir: Path | None = None
    # Empty: any public hub id. Otherwise exactly these.
    allowed_models: Annotated[tuple[str, ...], NoDecode] = ()

    # Servers that teachers may be asked at; see core.egress.allow_list for how they are written.
    teacher_hosts: Annotated[tuple[str, ...], NoDecode] = DEFAULT_TEACHER_HOSTS
    # ID:BASE64 entries, the current one first; empty: a key file in data_dir.
    secret_keys: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    # What teachers' tokens cost; None: nothing is known of prices.
    prices_file: Path | None = None

    predict_cache_bytes: int = Field(default=2048 * MIB, ge=MIB)
    predict_threads: int = Field(default=0, ge=0, description="0: one per core")
    # Longer, and whoever asks had better ask again, or another server.
    predict_wait_seconds: float = Field(default=2.0, gt=0)
    # Four of the largest bodies.
    predict_backlog_bytes: int = Field(default=64 * MIB, ge=1024)
    # Models loaded at start: a name, or tenant:name.
    predict_preload: Annotated[tuple[str, ...], NoDecode] = ()
    # `auto`: whatever was measured to be the fastest on a machine like this one.
    predict_engine: Literal[
        "auto", "onnxruntime", "onnxruntime_cuda", "openvino_bf16", "openvino_int8"
    ] = "auto"

    # What a request waits for teachers at the most, before the students' answers are given.
    deferral_seconds: float = Field(default=10.0, ge=1, le=200)

    devices: str = "auto"
    torch_threads: int = Field(default=0, ge=0, description="0: cores shared by the slots")
    poll_seconds: float = Field(default=1.0, gt=0)
    # Three missed heartbeats: long enough for a slow disk, short enough that a
    # killed worker's job restarts within a minute.
    lease_seconds: float = Field(default=30.0, gt=0)
    heartbeat_seconds: float = Field(default=10.0, gt=0)
    reap_seconds: float = Field(default=10.0, gt=0)
    stalled_seconds: float = Field(default=900.0, gt=0)
    kill_grace_seconds: float = Field(default=20.0, gt=0)
    checkpoint_seconds: float = Field(default=30.0, gt=0)

    @field_validator(
        "api_keys",
        "allowed_hosts",
        "allowed_models",
        "predict_preload",
        "secret_keys",
        "teacher_hosts",
        mode="before",
    )
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("api_keys")
    @classmethod
    def _keys_are_pairs(cls, value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
        for pair in value:
            tenant, _, key = pair.get_secret_value().partition(":")
            if not tenant or len(key) < MIN_KEY_LENGTH:
                raise ValueError(
                    f"each LLKD_API_KEYS entry is TENANT:KEY, the key at least "
                    f"{MIN_KEY_LENGTH} characters long"
                )
        return value

    @cached_property
    def database(self) -> URL:
        """The configured database, or the embedded one: a SQLite file in `data_dir`."""
        if self.database_url is None:
            return make_url(f"sqlite:///{self.data_dir.resolve() / 'llkd.db'}")
        return make_url(self.database_url.get_secret_value())

    @property
    def is_embedded(self) -> bool:
        """No broker: workers find work by polling alone."""
        return self.redis_url is None

    @property
    def is_loopback(self) -> bool:
        return self.host in LOOPBACK

    @property
    def lease(self) -> timedelta:
        """How long a silent worker keeps a job.

        On SQLite a writer may wait for another process's whole transaction, so a
        lease lasts twice as long there.
        """
        sqlite = self.database.get_backend_name() == "sqlite"
        return timedelta(seconds=self.lease_seconds * (2 if sqlite else 1))


def load_settings() -> Settings:
    """Read the environment and `.env`; raises pydantic's ValidationError naming the variable."""
    return Settings()
