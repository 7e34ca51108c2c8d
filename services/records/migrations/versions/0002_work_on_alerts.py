"""Who works on an alert and why it was closed; what people say a capture shows."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table of labels, which is append-only like the history of alerts."""
    op.add_column("alert", sa.Column("assigned_to", sa.Text(), nullable=True))
    op.add_column("alert", sa.Column("disposition", sa.String(32), nullable=True))
    op.create_index("ix_alert_handled_at", "alert", ["handled_at"])
    op.create_table(
        "label",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("capture_id", sa.String(64), sa.ForeignKey("capture.id"), nullable=False, index=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER label_no_{verb.lower()} BEFORE {verb} ON label "
                "BEGIN SELECT RAISE(ABORT, 'label is append-only'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER label_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON label "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
