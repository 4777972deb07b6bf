"""What people taught about a dataset: standing decisions, labels and calibrations"""

import sqlalchemy as sa
from alembic import op

import app.db.models

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.String(length=40)
_TIME = app.db.models.UtcTime(timezone=True)


def _owned() -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("id", _ID, nullable=False),
        sa.Column("organisation_id", _ID, nullable=False),
        sa.Column("dataset_id", _ID, nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"]),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"]),
        sa.PrimaryKeyConstraint("id"),
    ]


def upgrade() -> None:
    op.create_table(
        "learned",
        sa.Column("dataset_id", _ID, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.id"]),
        sa.PrimaryKeyConstraint("dataset_id"),
    )
    op.create_table(
        "standing_decisions",
        *_owned(),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("field_map", sa.JSON(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.String(length=8), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("actor", _ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("expires_at", _TIME, nullable=True),
    )
    op.create_index("ix_standing_decisions_dataset", "standing_decisions", ["dataset_id", "id"])
    op.create_index("ix_standing_decisions_organisation", "standing_decisions", ["organisation_id", "id"])
    op.create_table(
        "labels",
        *_owned(),
        sa.Column("pair", sa.String(length=64), nullable=False),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=False),
        sa.Column("match", sa.Boolean(), nullable=False),
        sa.Column("actor", _ID, nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.UniqueConstraint("dataset_id", "pair", name="uq_labels_pair"),
    )
    op.create_index("ix_labels_dataset", "labels", ["dataset_id", "id"])
    op.create_table(
        "calibrations",
        *_owned(),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("profile", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("adaptation", sa.JSON(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("actor", _ID, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.UniqueConstraint("dataset_id", "number", name="uq_calibrations_number"),
    )
    op.create_index("ix_calibrations_dataset", "calibrations", ["dataset_id", "id"])


def downgrade() -> None:
    for name in ("calibrations", "labels", "standing_decisions", "learned"):
        op.drop_table(name)
