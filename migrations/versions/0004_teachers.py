"""Stored teachers, parked jobs, shards of a label stage, and where an answer comes from."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")
DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("parked", DOCUMENT, nullable=True))
    op.add_column("jobs", sa.Column("parked_since", INSTANT, nullable=True))
    op.add_column("teacher_answers", sa.Column("rung", sa.String(), nullable=True))
    op.add_column("teacher_answers", sa.Column("label_mass", sa.Double(), nullable=True))
    op.add_column("teacher_answers", sa.Column("job_id", sa.String(), nullable=True))
    op.create_table(
        "job_shards",
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("job_attempt", sa.Integer(), nullable=False),
        sa.Column("first_row", sa.BigInteger(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(), nullable=True),
        sa.Column("lease_until", INSTANT, nullable=True),
        sa.Column("held_micros", sa.BigInteger(), nullable=False),
        sa.Column("held_calls", sa.BigInteger(), nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "(lease_until IS NULL) = (lease_owner IS NULL)",
            name="ck_job_shards_leased_has_owner",
        ),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_shards_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "shard", name="pk_job_shards"),
    )
    op.create_index("ix_job_shards_open", "job_shards", ["done_at", "lease_until"], unique=False)
    op.create_table(
        "teachers",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("base_url", sa.String(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("sealed_key", DOCUMENT, nullable=True),
        sa.Column("key_last4", sa.String(), nullable=True),
        sa.Column("settings", DOCUMENT, nullable=False),
        sa.Column("last_test", DOCUMENT, nullable=True),
        sa.Column("idempotency_key", sa.String(), nullable=True),
        sa.Column("request_sha256", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("deleted_at", INSTANT, nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_teachers"),
        sa.UniqueConstraint(
            "tenant_id", "idempotency_key", name="uq_teachers_tenant_id_idempotency_key"
        ),
    )
    op.create_index("ix_teachers_listing", "teachers", ["tenant_id", "id"], unique=False)


def downgrade() -> None:
    op.drop_table("teachers")
    op.drop_table("job_shards")
    op.drop_column("teacher_answers", "job_id")
    op.drop_column("teacher_answers", "label_mass")
    op.drop_column("teacher_answers", "rung")
    op.drop_column("jobs", "parked_since")
    op.drop_column("jobs", "parked")
