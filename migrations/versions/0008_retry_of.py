"""Which job a job tries again."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("retry_of_id", sa.String(), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "retry_of_id")
