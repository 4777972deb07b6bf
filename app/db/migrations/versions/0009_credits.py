"""Credits: accounts, holds and the entries that balances are the sum of"""

import sqlalchemy as sa
from alembic import op

import app.db.models

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "credit_accounts",
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("balance", sa.BigInteger(), nullable=False),
        sa.Column("held", sa.BigInteger(), nullable=False),
        sa.Column("simulated", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("held >= 0", name="ck_credit_accounts_held"),
        sa.CheckConstraint("balance >= held", name="ck_credit_accounts_covered"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"]),
        sa.PrimaryKeyConstraint("organisation_id"),
    )
    op.create_table(
        "credit_holds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", app.db.models.UtcTime(timezone=True), nullable=True),
        sa.Column("created_at", app.db.models.UtcTime(timezone=True), nullable=False),
        sa.CheckConstraint("credits >= 0", name="ck_credit_holds_credits"),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_credit_holds_organisation", "credit_holds", ["organisation_id", "expires_at"])
    op.create_table(
        "credit_entries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.String(length=40), nullable=False),
        sa.Column("at", app.db.models.UtcTime(timezone=True), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("operation", sa.String(length=40), nullable=False),
        sa.Column("credits", sa.BigInteger(), nullable=False),
        sa.Column("units", sa.BigInteger(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_credit_entries_day", "credit_entries", ["organisation_id", "day"])


def downgrade() -> None:
    op.drop_table("credit_entries")
    op.drop_table("credit_holds")
    op.drop_table("credit_accounts")
