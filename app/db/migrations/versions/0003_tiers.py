"""Tiers of organisations"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organisations", sa.Column("tier", sa.String(length=40), nullable=True))


def downgrade() -> None:
    op.drop_column("organisations", "tier")
