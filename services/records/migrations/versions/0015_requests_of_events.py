"""Which request changed an alert, beside who did; rows of before have none and keep their hashes."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.add_column("alert_event", sa.Column("request", sa.Text(), nullable=True))
