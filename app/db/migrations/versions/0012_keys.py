"""Keys have roles, lifetimes, successors and a last use"""

import sqlalchemy as sa
from alembic import op

import app.db.models

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_TIMES = ("expires_at", "last_used_at")


def upgrade() -> None:
    with op.batch_alter_table("api_keys") as batch_op:
        batch_op.add_column(sa.Column("prefix", sa.String(length=16), nullable=False, server_default="fo_"))
        batch_op.add_column(sa.Column("role", sa.String(length=16), nullable=True))
        batch_op.add_column(sa.Column("replaced_by", sa.String(length=40), nullable=True))
        for name in _TIMES:
            batch_op.add_column(sa.Column(name, app.db.models.UtcTime(timezone=True), nullable=True))
        batch_op.create_index("ix_api_keys_organisation", ["organisation_id", "id"])


def downgrade() -> None:
    with op.batch_alter_table("api_keys") as batch_op:
        batch_op.drop_index("ix_api_keys_organisation")
        for name in ("prefix", "role", "replaced_by", *_TIMES):
            batch_op.drop_column(name)
