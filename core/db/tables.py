"""Every table, on one page.

No relationships: a row is loaded because a repository asked for it, never by
touching an attribute. Every row has its tenant, directly or through its job.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Index,
    Integer,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.db.base import Row, db_now
from core.ids import DatasetId, JobId, ModelId, TeacherId, TenantId
from core.lifecycle import JobState, Purpose

# SQLite numbers rows by itself only for a column of type INTEGER.
SEQUENCE = BigInteger().with_variant(Integer(), "sqlite")
# A plain string: the CHECK below says what is allowed, on both databases alike.
STATE = Enum(
    JobState,
    native_enum=False,
    create_constraint=False,
    length=16,
    values_callable=lambda states: [state.value for state in states],
)


class DatasetRow(Row):
    """An uploaded pile of texts: two immutable files and what was counted while reading them."""

    __tablename__ = "datasets"
    __table_args__ = (
        UniqueConstraint("tenant_id", "idempotency_key"),
        Index("ix_datasets_listing", "tenant_id", "id"),
    )

    id: Mapped[DatasetId] = mapped_column(primary_key=True)
    tenant_id: Mapped[TenantId]
    name: Mapped[str]
    # Digest of the bytes that came and of the options they were read with.
    request_sha256: Mapped[str]
    source_sha256: Mapped[str]
    rows_artifact: Mapped[str]  # Parquet, see core.dataset_files
    issues_artifact: Mapped[str]
    statistics: Mapped[dict[str, Any]]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    idempotency_key: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(default=db_now())
    deleted_at: Mapped[datetime | None]


class JobRow(Row):
    """The job itself: whoever wins `attempt` may write, and nobody else."""

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("tenant_id", "idempotency_key"),
        CheckConstraint(
            "state IN ('queued','running','succeeded','failed','cancelled')", name="state_known"
        ),
        CheckConstraint(
            "(state = 'running') = (lease_until IS NOT NULL)", name="running_has_lease"
        ),
        CheckConstraint(
            "(state IN ('succeeded','failed','cancelled')) = (finished_at IS NOT NULL)",
            name="terminal_has_end",
        ),
        Index("ix_jobs_ready", "state", "queue", "priority", "run_at"),
        Index("ix_jobs_leases", "state", "lease_until"),
        Index("ix_jobs_listing", "tenant_id", "id"),
        Index("ix_jobs_dataset_id", "dataset_id"),
    )

    id: Mapped[JobId] = mapped_column(primary_key=True)
    tenant_id: Mapped[TenantId]
    name: Mapped[str]
    # Names the caller's own metadata; `metadata` itself is taken by SQLAlchemy.
    labels_metadata: Mapped[dict[str, Any]] = mapped_column("metadata", default=dict)

    # A string, as states are: `core.lifecycle.Purpose` says what is allowed.
    purpose: Mapped[str] = mapped_column(default=Purpose.DISTILL.value, server_default="distill")
    # What was asked, immutable and without secrets: llkd.specs.DistillationSpec, or of
    # predictions PredictionSpec.
    spec: Mapped[dict[str, Any]]
    dataset_id: Mapped[DatasetId] = mapped_column(ForeignKey("datasets.id"))
    evaluation_dataset_id: Mapped[DatasetId | None] = mapped_column(ForeignKey("datasets.id"))
    # Whose answers are used again. No foreign key, which SQLite could only add by copying
    # the table: jobs are never deleted.
    from_job_id: Mapped[JobId | None]
    # The failed or cancelled job that this one tries again. No foreign key, likewise.
    retry_of_id: Mapped[JobId | None]
    # The model that the student starts from. No foreign key for the same reason: models are
    # marked as deleted, their rows stay.
    parent_model_id: Mapped[ModelId | None]
    # A person's labels in the place of that job's answers: [{index, label}]. Those that it had
    # been given itself stand in its labels.
    corrections: Mapped[list[Any] | None]
    idempotency_key: Mapped[str | None]
    request_sha256: Mapped[str]

    queue: Mapped[str]
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[JobState] = mapped_column(STATE, default=JobState.QUEUED)
    stage: Mapped[str | None]
    run_at: Mapped[datetime] = mapped_column(default=db_now())
    cancel_at: Mapped[datetime | None]  # a request, not a state
    max_wall_seconds: Mapped[int]
    deadline_at: Mapped[datetime | None]  # set by the first claim

    attempt: Mapped[int] = mapped_column(default=0)  # the fencing token: +1 a claim, never reset
    crashes: Mapped[int] = mapped_column(default=0)  # leases lost since the last progress
    lease_owner: Mapped[str | None]  # of a worker's slot: …:DEVICE, which begins with its kind
    lease_until: Mapped[datetime | None]

    progress: Mapped[int] = mapped_column(BigInteger, default=0)  # grows while work is done
    progress_detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    # {uri, sha256, step}, or of predictions {parts, step}: the only way to find one.
    checkpoint: Mapped[dict[str, Any] | None]

    cap_micros: Mapped[int | None] = mapped_column(BigInteger)  # millionths of a US dollar
    cap_calls: Mapped[int | None] = mapped_column(BigInteger)
    spent_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    held_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    spent_calls: Mapped[int] = mapped_column(BigInteger, default=0)
    held_calls: Mapped[int] = mapped_column(BigInteger, default=0)

    # Queued, and not for a worker: its teacher does not answer. A problem document says why;
    # the instant is that of the first park since an answer came.
    parked: Mapped[dict[str, Any] | None]
    parked_since: Mapped[datetime | None]

    result: Mapped[dict[str, Any] | None]  # {model_id, stop_reason, metrics}
    error: Mapped[dict[str, Any] | None]  # a problem document
    created_at: Mapped[datetime] = mapped_column(default=db_now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobStageRow(Row):
    """A stage that is done; its output is what the next stages read. No row, not done."""

    __tablename__ = "job_stages"

    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    attempt: Mapped[int]
    output: Mapped[dict[str, Any]]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime] = mapped_column(default=db_now())


class JobEventRow(Row):
    """What happened to a job, in order. Written only while its job's row is locked."""

    __tablename__ = "job_events"
    __table_args__ = (Index("ix_job_events_replay", "job_id", "seq"),)

    seq: Mapped[int] = mapped_column(SEQUENCE, primary_key=True, autoincrement=True)
    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"))
    at: Mapped[datetime] = mapped_column(default=db_now())
    type: Mapped[str]
    data: Mapped[dict[str, Any]]


class TrainingPointRow(Row):
    """A point of the curve of one candidate's training. Totals stand in it, so that what lies
    between two points is their difference, whichever points are left out."""

    __tablename__ = "training_points"

    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    candidate: Mapped[int] = mapped_column(primary_key=True)  # in order of their training
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)  # batches before it
    step: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int]
    seconds: Mapped[float]
    seen: Mapped[int] = mapped_column(BigInteger)
    kept: Mapped[int] = mapped_column(BigInteger)
    loss_sum: Mapped[float]
    looks: Mapped[int] = mapped_column(BigInteger)
    held_out_score: Mapped[float | None]  # of the newest look
    # {confidence, uncertainty}, each a number a label or null where nothing asks for it.
    thresholds: Mapped[dict[str, Any]]


class SelectionFrameRow(Row):
    """What a selector saw of one batch, and what it kept of it."""

    __tablename__ = "selection_frames"

    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    candidate: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    step: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int]
    seen: Mapped[int]
    kept: Mapped[int]
    quadrants: Mapped[dict[str, Any]]
    thresholds: Mapped[dict[str, Any]]
    # A sample of the batch, a list each of index, label, confidence, uncertainty, kept.
    points: Mapped[dict[str, Any]]


class JobShardRow(Row):
    """A part of a label stage that another worker may take: it fills the answer store.

    The job's own attempt goes on without it if need be, so nothing waits for a shard.
    """

    __tablename__ = "job_shards"
    __table_args__ = (
        CheckConstraint("(lease_until IS NULL) = (lease_owner IS NULL)", name="leased_has_owner"),
        Index("ix_job_shards_open", "done_at", "lease_until"),
    )

    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"), primary_key=True)
    shard: Mapped[int] = mapped_column(primary_key=True)  # in order of the rows
    # The attempt at the job that cut the shards: theirs are void when it loses the job.
    job_attempt: Mapped[int]
    first_row: Mapped[int] = mapped_column(BigInteger)
    rows: Mapped[int] = mapped_column(BigInteger)
    attempt: Mapped[int] = mapped_column(default=0)  # the shard's own fencing token
    crashes: Mapped[int] = mapped_column(default=0)
    lease_owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    # Of the job's held money and calls, what this shard's worker holds.
    held_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    held_calls: Mapped[int] = mapped_column(BigInteger, default=0)
    done_at: Mapped[datetime | None]


class TeacherRow(Row):
    """A stored connection to a teacher server. Its key is sealed, and bound to its address."""

    __tablename__ = "teachers"
    __table_args__ = (
        UniqueConstraint("tenant_id", "idempotency_key"),
        Index("ix_teachers_listing", "tenant_id", "id"),
    )

    id: Mapped[TeacherId] = mapped_column(primary_key=True)
    tenant_id: Mapped[TenantId]
    name: Mapped[str]
    base_url: Mapped[str]  # never changes: another address is another teacher
    model: Mapped[str]
    # core.secrets.SealedSecret as JSON; None where the server needs no key.
    sealed_key: Mapped[dict[str, Any] | None]
    key_last4: Mapped[str | None]
    # Limits and prices: fields of llkd.specs.OpenAITeacher that jobs inherit.
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    last_test: Mapped[dict[str, Any] | None]  # what the newest probe found
    idempotency_key: Mapped[str | None]
    request_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=db_now())
    updated_at: Mapped[datetime] = mapped_column(default=db_now())
    deleted_at: Mapped[datetime | None]


class TeacherAnswerRow(Row):
    """An answer that was bought, keyed by all that decides it: teacher, prompt, labels, text."""

    __tablename__ = "teacher_answers"

    tenant_id: Mapped[TenantId] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)  # sha256
    status: Mapped[str]
    label: Mapped[str | None]
    probabilities: Mapped[list[Any] | None]  # in the job's label order, float64 unrounded
    confidence: Mapped[float | None]
    confidence_source: Mapped[str]
    tokens_in: Mapped[int] = mapped_column(default=0)
    tokens_out: Mapped[int] = mapped_column(default=0)
    cost_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    model: Mapped[str]
    rung: Mapped[str | None]
    label_mass: Mapped[float | None]
    # The job that bought it: what it finds of its own was not there before. No foreign key,
    # which SQLite could only add by copying the table.
    job_id: Mapped[JobId | None]
    created_at: Mapped[datetime] = mapped_column(default=db_now())


class ModelRow(Row):
    """A trained, registered student, named by its id: immutable but for `export["engines"]`."""

    __tablename__ = "models"
    __table_args__ = (
        UniqueConstraint("tenant_id", "name", "version"),
        UniqueConstraint("job_id"),
        Index("ix_models_listing", "tenant_id", "id"),
    )

    id: Mapped[ModelId] = mapped_column(primary_key=True)
    tenant_id: Mapped[TenantId]
    name: Mapped[str]
    version: Mapped[int]
    job_id: Mapped[JobId] = mapped_column(ForeignKey("jobs.id"))
    artifact: Mapped[str]  # digest of the file tree
    labels: Mapped[list[Any]]
    base_model: Mapped[str]
    parent_model_id: Mapped[ModelId | None]  # what its training started from, if from a model
    metrics: Mapped[dict[str, Any]]
    export: Mapped[dict[str, Any]]  # parity figures, file sizes, engines measured
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(default=db_now())
    deleted_at: Mapped[datetime | None]


class ModelDeferralRow(Row):
    """What a model's teacher may be asked at prediction, and what that has cost."""

    __tablename__ = "model_deferrals"

    model_id: Mapped[ModelId] = mapped_column(ForeignKey("models.id"), primary_key=True)
    tenant_id: Mapped[TenantId]
    cap_micros: Mapped[int | None] = mapped_column(BigInteger)  # millionths of a US dollar
    cap_calls: Mapped[int | None] = mapped_column(BigInteger)
    spent_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    held_micros: Mapped[int] = mapped_column(BigInteger, default=0)
    spent_calls: Mapped[int] = mapped_column(BigInteger, default=0)
    held_calls: Mapped[int] = mapped_column(BigInteger, default=0)
    # The fence: whoever settles names it, and it is another one once what was held is spent.
    held_under: Mapped[str]
    # When whoever holds something must be gone; None before the first hold.
    held_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=db_now())
    updated_at: Mapped[datetime] = mapped_column(default=db_now())


class ModelAliasRow(Row):
    """A movable name of a model: `tickets@latest`."""

    __tablename__ = "model_aliases"

    tenant_id: Mapped[TenantId] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    alias: Mapped[str] = mapped_column(primary_key=True)
    model_id: Mapped[ModelId] = mapped_column(ForeignKey("models.id"))
    moved_at: Mapped[datetime] = mapped_column(default=db_now())


class TextKeepingRow(Row):
    """That a model's unsure texts are kept, and which. No row: none are, and none are there."""

    __tablename__ = "text_keepings"

    model_id: Mapped[ModelId] = mapped_column(ForeignKey("models.id"), primary_key=True)
    tenant_id: Mapped[TenantId]
    below: Mapped[float]  # the best score under which a text is kept
    max_rows: Mapped[int]
    since: Mapped[datetime] = mapped_column(default=db_now())


class KeptTextRow(Row):
    """A text that a model was asked about and was unsure of, once."""

    __tablename__ = "kept_texts"
    __table_args__ = (
        CheckConstraint("reason IN ('low_confidence','deferred')", name="reason_known"),
    )

    model_id: Mapped[ModelId] = mapped_column(
        ForeignKey("text_keepings.model_id"), primary_key=True
    )
    # Of model and text, in hexadecimal: its order is the lot that decides which texts stay.
    digest: Mapped[str] = mapped_column(primary_key=True)
    tenant_id: Mapped[TenantId]
    text: Mapped[str]
    label: Mapped[str]  # the model's best one
    score: Mapped[float]
    # A string, as purposes are: `core.db.repositories.kept_texts.KeptReason`.
    reason: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=db_now())
