"""A job may be a pilot: a few answers, to forecast what more would bring."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "jobs", sa.Column("purpose", sa.String(), nullable=False, server_default="distill")
    )


def downgrade() -> None:
    op.drop_column("jobs", "purpose")
