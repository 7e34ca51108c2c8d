"""What was odd in a file that was read nevertheless stays with its inspection."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; processes of the version before may go on writing without it."""
    op.add_column("inspection", sa.Column("warnings", sa.JSON(), nullable=True))
