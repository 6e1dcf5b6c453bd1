"""A replay may bring a person's labels in the place of a teacher's."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

DOCUMENT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("corrections", DOCUMENT, nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "corrections")
