"""Unknown places of frames, which people name by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    inspection = sa.ForeignKey("inspection.id", ondelete="CASCADE")
    windows = ("level", "level_height", "level_width", "top", "left", "height", "width")
    op.create_table(
        "spot",
        sa.Column("inspection_id", sa.String(64), inspection, primary_key=True),
        sa.Column("capture_id", sa.String(64), sa.ForeignKey("capture.id"), primary_key=True, index=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False, index=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in windows),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("novelty", sa.Double(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("likeliest", sa.Text(), nullable=True),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("shape", sa.LargeBinary(), nullable=False),
    )
