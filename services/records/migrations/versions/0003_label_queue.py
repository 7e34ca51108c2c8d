"""The label queue reads inspections by confidence."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    judged = sa.text("reason != 'not inspected'")
    op.create_index(
        "ix_inspection_confidence_id",
        "inspection",
        ["confidence", "id"],
        sqlite_where=judged,
        postgresql_where=judged,
    )
