"""What rules over several captures read; how often people hear of an alert; silences."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, filled in from what is recorded, and the table."""
    _inspections()
    _alerts()
    _silences()
    op.create_index("ix_job_finished_at", "job", ["finished_at"])
    _close_the_back_door()


def _inspections() -> None:
    for name in ("shown", "refused"):
        op.add_column("inspection", sa.Column(name, sa.JSON(), nullable=True))
    op.add_column("inspection", sa.Column("is_first", sa.Boolean(), nullable=False, server_default=sa.true()))
    op.execute(
        "UPDATE inspection SET is_first = false WHERE EXISTS (SELECT 1 FROM inspection AS earlier WHERE"
        " earlier.capture_id = inspection.capture_id AND (earlier.recorded_at < inspection.recorded_at OR"
        " (earlier.recorded_at = inspection.recorded_at AND earlier.id < inspection.id)))"
    )


def _alerts() -> None:
    for name in ("told_at", "escalate_at"):
        op.add_column("alert", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    for name in ("tell", "escalate_to"):
        op.add_column("alert", sa.Column(name, sa.JSON(), nullable=True))
    op.execute("UPDATE alert SET told_at = first_seen")
    op.create_index("ix_alert_fingerprint_handled_at", "alert", ["fingerprint", "handled_at"])
    op.create_index("ix_alert_first_seen", "alert", ["first_seen"])


def _silences() -> None:
    op.create_table(
        "silence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("kind", sa.String(32), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("rule", "pattern", "product", "step", "tool")),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("every_days", sa.Integer(), nullable=True),
        sa.Column(
            "follows",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            sa.ForeignKey("silence.id"),
            nullable=True,
            unique=True,
        ),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("held_back", sa.Integer(), nullable=False),
    )
    op.create_index("ix_silence_until", "silence", ["until"])


def _close_the_back_door() -> None:
    """SQLite's INSERT OR REPLACE removes the row in its way without asking the trigger against DELETE."""
    if op.get_bind().dialect.name != "sqlite":
        return
    for table, is_known in (
        ("alert_event", "SELECT 1 FROM alert_event WHERE alert_id = NEW.alert_id AND number = NEW.number"),
        ("label", "SELECT 1 FROM label WHERE id = NEW.id"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN EXISTS ({is_known}) "
            f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )
