"""Routing by rule: the history of routings, which lane judged a capture, failures of bundles, shadows."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_MOMENT = sa.DateTime(timezone=True)
_SHA = sa.String(64)
_WORD = sa.String(32)


def upgrade() -> None:
    """Add the columns and tables; the history of routings is append-only."""
    op.add_column("inspection", sa.Column("rule", sa.Text(), nullable=True))
    op.add_column("inspection", sa.Column("route", sa.Text(), nullable=True))
    op.create_index("ix_inspection_rule_route_recorded_at", "inspection", ["rule", "route", "recorded_at"])
    op.create_table(
        "routing",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
    )
    op.create_table(
        "route_failure",
        sa.Column("capture_id", _SHA, primary_key=True),
        sa.Column("rule", sa.Text(), primary_key=True),
        sa.Column("bundle_digest", _SHA, primary_key=True),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("tool", sa.Text(), nullable=True),
        sa.Column("job_id", _ID, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
    )
    op.create_index("ix_route_failure_rule_at", "route_failure", ["rule", "at"])
    op.create_table(
        "shadow",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("inspection_id", _SHA, sa.ForeignKey("inspection.id", ondelete="CASCADE"), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("outcome", _WORD, nullable=False),
        sa.Column("asked_at", _MOMENT, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", _MOMENT, nullable=True),
        sa.Column("judged_at", _MOMENT, nullable=True),
        sa.Column("bundle_name", sa.Text(), nullable=True),
        sa.Column("bundle_version", sa.Text(), nullable=True),
        sa.Column("bundle_digest", _SHA, nullable=True),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("novelty", sa.Double(), nullable=True),
        sa.Column("reason", _WORD, nullable=True),
        sa.Column("windows", sa.Integer(), nullable=True),
        sa.Column("windows_differing", sa.Integer(), nullable=True),
        sa.Column("differences", sa.JSON(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
    )
    op.create_index("uq_shadow_inspection_id_route", "shadow", ["inspection_id", "route"], unique=True)
    op.create_index("ix_shadow_outcome_id", "shadow", ["outcome", "id"])
    op.create_index("ix_shadow_judged_at", "shadow", ["judged_at"])
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER routing_no_{verb.lower()} BEFORE {verb} ON routing "
                "BEGIN SELECT RAISE(ABORT, 'routing is append-only'); END"
            )
        return
    op.execute(
        "CREATE TRIGGER routing_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON routing "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )
