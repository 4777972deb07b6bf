"""File jobs and their steps; jobs pin snapshots"""

import sqlalchemy as sa
from alembic import op

import app.db.models

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("jobs") as jobs:
        jobs.add_column(sa.Column("snapshot_id", sa.String(length=40), nullable=True))
    op.create_table(
        "file_jobs",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("profile_digest", sa.String(length=64), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.Column("served_at", app.db.models.UtcTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job_id"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"]),
    )
    op.create_table(
        "steps",
        sa.Column("job_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("holder", sa.String(length=40), nullable=True),
        sa.Column("leased_until", app.db.models.UtcTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("unavailable_since", app.db.models.UtcTime(timezone=True), nullable=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("rows", "results", "matched", "rejected")),
        sa.PrimaryKeyConstraint("job_id", "number"),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"]),
    )
    op.create_index("ix_steps_state", "steps", ["job_id", "state", "number"])


def downgrade() -> None:
    op.drop_table("steps")
    op.drop_table("file_jobs")
    with op.batch_alter_table("jobs") as jobs:
        jobs.drop_column("snapshot_id")
