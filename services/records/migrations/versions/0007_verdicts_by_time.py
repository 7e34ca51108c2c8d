"""Verdicts by time, in monthly partitions on PostgreSQL; and an index for every list that pages show."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

OF_CAPTURE = ("lot", "product", "step", "tool")


def upgrade() -> None:
    """Safe while processes of the version before still run: what they insert gets its moment and its copies here."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    _copy_what_lists_are_filtered_by(is_sqlite=is_sqlite)
    _index_the_lists()
    if is_sqlite:
        _rebuild_verdicts()
    else:
        _partition_verdicts()


def _copy_what_lists_are_filtered_by(*, is_sqlite: bool) -> None:
    for name in OF_CAPTURE:
        op.add_column("inspection", sa.Column(name, sa.Text(), nullable=True))
    op.execute(
        "UPDATE inspection SET (lot, product, step, tool) ="
        " (SELECT lot, product, step, tool FROM capture WHERE capture.id = inspection.capture_id)"
    )
    if is_sqlite:
        op.execute(
            "CREATE TRIGGER inspection_copies AFTER INSERT ON inspection BEGIN"
            " UPDATE inspection SET (lot, product, step, tool) ="
            " (SELECT lot, product, step, tool FROM capture WHERE capture.id = NEW.capture_id) WHERE id = NEW.id; END"
        )
        return
    op.execute(
        "CREATE FUNCTION copy_of_capture() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " SELECT lot, product, step, tool INTO NEW.lot, NEW.product, NEW.step, NEW.tool"
        " FROM capture WHERE capture.id = NEW.capture_id; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER inspection_copies BEFORE INSERT ON inspection FOR EACH ROW EXECUTE FUNCTION copy_of_capture()"
    )


def _index_the_lists() -> None:
    for name in (*OF_CAPTURE, "label"):
        op.create_index(f"ix_inspection_{name}_recorded_at_id", "inspection", [name, "recorded_at", "id"])
    _partial(
        "ix_inspection_unknown", "inspection", ["recorded_at", "id"], "label IS NULL AND reason <> 'not inspected'"
    )
    op.drop_index("ix_job_sender", "job")
    _partial("ix_job_unfinished_sender", "job", ["sender"], "state IN ('queued', 'running')")
    _partial("ix_job_ended_badly", "job", ["id"], "state IN ('quarantined', 'dead')")
    op.drop_index("ix_outbox_channel_sent_at_not_before", "outbox")
    _partial("ix_outbox_unsent", "outbox", ["channel", "not_before", "id"], "sent_at IS NULL AND failed_at IS NULL")
    _partial("ix_outbox_given_up", "outbox", ["id"], "failed_at IS NOT NULL")
    op.create_index("ix_alert_event_at", "alert_event", ["at"])


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)


def _rebuild_verdicts() -> None:
    """SQLite: one table, whose key has the moment as well, so that both databases have one shape."""
    op.execute("ALTER TABLE verdict RENAME TO verdict_before")
    _create_verdict()
    _move_verdicts()


def _partition_verdicts() -> None:
    """PostgreSQL: a partition for each month there is something of and the two to come; the rest is for surprises."""
    op.execute("ALTER TABLE verdict RENAME TO verdict_before")
    for kind, name in (("pk", "pk_verdict"), ("ck", "ck_verdict_confidence_is_probability"),
                       ("ck", "ck_verdict_window_has_extent"), ("fk", "fk_verdict_inspection_id")):  # fmt: skip
        op.execute(f"ALTER TABLE verdict_before RENAME CONSTRAINT {name} TO {kind}_before_{name[3:]}")
    _create_verdict()
    op.execute("CREATE TABLE verdict_rest PARTITION OF verdict DEFAULT")
    op.execute(
        "DO $$ DECLARE month timestamptz; first timestamptz; BEGIN "
        "SELECT coalesce(min(recorded_at), now()) INTO first FROM inspection; "
        "FOR month IN SELECT generate_series(date_trunc('month', first, 'UTC'), "
        "date_trunc('month', now(), 'UTC') + interval '2 months', interval '1 month') LOOP "
        "EXECUTE format('CREATE TABLE verdict_%s PARTITION OF verdict FOR VALUES FROM (%L) TO (%L)', "
        "to_char(month AT TIME ZONE 'UTC', 'YYYY_MM'), month, month + interval '1 month'); END LOOP; END $$"
    )
    _move_verdicts()


def _create_verdict() -> None:
    number, words = sa.Integer(), sa.Text()
    op.create_table(
        "verdict",
        sa.Column("inspection_id", sa.String(64), sa.ForeignKey("inspection.id"), primary_key=True),
        sa.Column("ordinal", number, primary_key=True, autoincrement=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), primary_key=True, server_default=sa.func.now()),
        *(
            sa.Column(name, number, nullable=False)
            for name in ("level", "level_height", "level_width", "top", "left", "height", "width")
        ),
        sa.Column("label", words),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("novelty", sa.Double(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("likeliest", words),
        sa.Column("runner_up", words),
        sa.Column("runner_up_confidence", sa.Double(), nullable=False),
        sa.Column("also", sa.JSON(), nullable=False),
        sa.CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence_is_probability"),
        sa.CheckConstraint("height > 0 AND width > 0", name="window_has_extent"),
        postgresql_partition_by="RANGE (recorded_at)",
    )


def _move_verdicts() -> None:
    op.execute(
        "INSERT INTO verdict (inspection_id, ordinal, recorded_at, level, level_height, level_width,"
        ' top, "left", height, width, label, confidence, novelty, reason, likeliest, runner_up,'
        " runner_up_confidence, also)"
        " SELECT inspection_id, ordinal, (SELECT recorded_at FROM inspection WHERE id = inspection_id),"
        ' level, level_height, level_width, top, "left", height, width, label, confidence, novelty, reason,'
        " likeliest, runner_up, runner_up_confidence, also FROM verdict_before"
    )
    op.drop_table("verdict_before")
