"""Texts that a model was unsure of may be kept, and a job may start from a model."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.BigInteger(), "sqlite")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("parent_model_id", sa.String(), nullable=True))
    op.add_column("models", sa.Column("parent_model_id", sa.String(), nullable=True))
    op.create_table(
        "text_keepings",
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("below", sa.Double(), nullable=False),
        sa.Column("max_rows", sa.Integer(), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["model_id"], ["models.id"], name="fk_text_keepings_model_id_models"
        ),
        sa.PrimaryKeyConstraint("model_id", name="pk_text_keepings"),
    )
    op.create_table(
        "kept_texts",
        sa.Column("model_id", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("tenant_id", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "reason IN ('low_confidence','deferred')", name="ck_kept_texts_reason_known"
        ),
        sa.ForeignKeyConstraint(
            ["model_id"], ["text_keepings.model_id"], name="fk_kept_texts_model_id_text_keepings"
        ),
        sa.PrimaryKeyConstraint("model_id", "digest", name="pk_kept_texts"),
    )


def downgrade() -> None:
    op.drop_table("kept_texts")
    op.drop_table("text_keepings")
    op.drop_column("models", "parent_model_id")
    op.drop_column("jobs", "parent_model_id")
