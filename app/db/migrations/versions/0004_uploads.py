"""Uploads: files sent to a signed URL"""

import sqlalchemy as sa
from alembic import op

import app.db.models

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "uploads",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("max_bytes", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("created_at", app.db.models.UtcTime(timezone=True), nullable=False),
        sa.Column("expires_at", app.db.models.UtcTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_uploads_organisation", "uploads", ["organisation_id", "id"])
    op.create_index("ix_uploads_end", "uploads", ["expires_at"])


def downgrade() -> None:
    op.drop_table("uploads")
