"""Heat maps of what densely judged levels show."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table."""
    inspection = sa.ForeignKey("inspection.id", ondelete="CASCADE")
    op.create_table(
        "heat",
        sa.Column("inspection_id", sa.String(64), inspection, primary_key=True),
        *(
            sa.Column(name, sa.Integer(), nullable=False, primary_key=name == "number")
            for name in ("number", "level", "level_height", "level_width")
        ),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("box", sa.JSON(), nullable=False),
        sa.Column("greatest", sa.Double(), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("columns", sa.Integer(), nullable=False),
        sa.Column("cells", sa.LargeBinary(), nullable=False),
    )
