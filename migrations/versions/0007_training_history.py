"""How trainings go: the points of their curves, and what their selectors saw."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table(
        "training_points",
        *_place("training_points"),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("kept", sa.BigInteger(), nullable=False),
        sa.Column("loss_sum", sa.Double(), nullable=False),
        sa.Column("looks", sa.BigInteger(), nullable=False),
        sa.Column("held_out_score", sa.Double(), nullable=True),
        sa.Column("thresholds", DOCUMENT, nullable=False),
    )
    op.create_table(
        "selection_frames",
        *_place("selection_frames"),
        sa.Column("seen", sa.Integer(), nullable=False),
        sa.Column("kept", sa.Integer(), nullable=False),
        sa.Column("quadrants", DOCUMENT, nullable=False),
        sa.Column("thresholds", DOCUMENT, nullable=False),
        sa.Column("points", DOCUMENT, nullable=False),
    )


def downgrade() -> None:
    op.drop_table("selection_frames")
    op.drop_table("training_points")


def _place(table: str) -> list[sa.Column[object] | sa.Constraint]:
    """What both have: a batch of a candidate's training."""
    return [
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name=f"fk_{table}_job_id_jobs"),
        sa.PrimaryKeyConstraint("job_id", "candidate", "number", name=f"pk_{table}"),
    ]
