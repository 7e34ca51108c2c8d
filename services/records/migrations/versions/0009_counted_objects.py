"""Whether an inspection counts objects or windows."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: what was inspected before counts windows; and drop an index that a narrower one replaced."""
    op.add_column("inspection", sa.Column("counted", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.drop_index("ix_inspection_unlabelled", "inspection")
