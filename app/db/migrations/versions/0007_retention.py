"""When a job's records, results and rejects were removed"""

import sqlalchemy as sa
from alembic import op

import app.db.models

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("expired_at", app.db.models.UtcTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("jobs", "expired_at")
