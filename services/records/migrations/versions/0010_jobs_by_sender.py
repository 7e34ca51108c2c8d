"""Who sent what, for lists; the quota has an index of its own."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the index."""
    op.create_index("ix_job_sender_id", "job", ["sender", "id"])
