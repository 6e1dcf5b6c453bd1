"""A job may use the answers of an earlier job again."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("from_job_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "from_job_id")
