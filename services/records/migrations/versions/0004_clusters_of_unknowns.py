"""How captures look, and which unknown ones look alike."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the tables; inspections made before have no looks and stay ungrouped."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "looks",
        sa.Column("inspection_id", sa.String(64), sa.ForeignKey("inspection.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("shape", sa.LargeBinary(), nullable=False),
    )
    unlabelled = sa.text("label IS NULL")
    op.create_index(
        "ix_inspection_unlabelled",
        "inspection",
        ["recorded_at", "id"],
        sqlite_where=unlabelled,
        postgresql_where=unlabelled,
    )
    op.create_table(
        "cluster",
        sa.Column("id", number, primary_key=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("merged_into", number, sa.ForeignKey("cluster.id"), nullable=True),
    )
    op.create_table(
        "cluster_member",
        sa.Column("capture_id", sa.String(64), sa.ForeignKey("capture.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("inspection_id", sa.String(64), sa.ForeignKey("inspection.id", ondelete="CASCADE"), nullable=False),
        sa.Column("cluster_id", number, sa.ForeignKey("cluster.id"), nullable=False, index=True),
        sa.Column("rank", sa.Integer(), nullable=False),
    )
