"""The first tables. Column types are spelt out here: a step must not change when `tables` does."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

Column = sa.Column[Any]


def upgrade() -> None:
    """Create them, parents first."""
    _files_and_jobs()
    _inspections()
    _alerts()
    _protect_history()


def _files_and_jobs() -> None:
    op.create_table(
        "source_file", _sha("sha256", primary_key=True), _big("size_bytes"), _text("name"), _moment("received_at")
    )
    op.create_table(
        "job",
        _big("id", primary_key=True),
        _sha("dedupe_key", unique=True),
        _sha("sha256", "source_file.sha256", index=True),
        _text("route"),
        _word("state"),
        _text("sender", index=True),
        _int("priority"),
        _int("attempts"),
        _int("fence"),
        _text("owner", nullable=True),
        _moment("lease_until", nullable=True),
        _moment("not_before"),
        _moment("created_at"),
        _moment("finished_at", nullable=True),
        _int("windows_done"),
        *(_text(f"error_{part}", nullable=True) for part in ("code", "what", "where", "expected", "got", "remedy")),
    )
    op.create_index("ix_job_state_priority_id", "job", ["state", "priority", "id"])
    op.create_table(
        "receipt",
        _big("id", primary_key=True),
        _sha("arrival_key", unique=True),
        _sha("sha256", "source_file.sha256", index=True),
        _big("job_id", "job.id", index=True),
        _text("origin"),
        _text("sender"),
        _text("path"),
        _moment("received_at", index=True),
    )


def _inspections() -> None:
    op.create_table(
        "capture",
        _sha("id", primary_key=True),
        _sha("sha256", "source_file.sha256", index=True),
        _word("kind"),
        _text("name"),
        _double("height"),
        _double("width"),
        _text("lot", nullable=True, index=True),
        _text("wafer", nullable=True),
        _int("slot", nullable=True),
        _text("product", nullable=True),
        _text("step", nullable=True),
        _text("tool", nullable=True),
        sa.Column("inspected_at", sa.DateTime()),
        _text("crs_wkt", nullable=True),
        sa.Column("transform", sa.JSON()),
    )
    op.create_table(
        "inspection",
        _sha("id", primary_key=True),
        _sha("capture_id", "capture.id", index=True),
        _big("job_id", "job.id", index=True),
        _int("fence"),
        _text("bundle_name"),
        _text("bundle_version"),
        _sha("bundle_digest"),
        _text("normal", nullable=True),
        _moment("started_at"),
        _double("duration_s"),
        _moment("recorded_at"),
        _text("label", nullable=True),
        _double("confidence"),
        _double("novelty"),
        _word("reason"),
        _int("windows"),
        sa.Column("counts", sa.JSON(), nullable=False),
    )
    op.create_index("ix_inspection_recorded_at_id", "inspection", ["recorded_at", "id"])
    op.create_table(
        "verdict",
        _sha("inspection_id", "inspection.id", primary_key=True),
        _int("ordinal", primary_key=True),
        *(_int(name) for name in ("level", "level_height", "level_width", "top", "left", "height", "width")),
        _text("label", nullable=True),
        _double("confidence"),
        _double("novelty"),
        _word("reason"),
        _text("likeliest", nullable=True),
        _text("runner_up", nullable=True),
        _double("runner_up_confidence"),
        sa.Column("also", sa.JSON(), nullable=False),
        sa.CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence_is_probability"),
        sa.CheckConstraint("height > 0 AND width > 0", name="window_has_extent"),
    )
    op.create_table(
        "block",
        _big("job_id", "job.id", primary_key=True),
        _sha("inspection_id", primary_key=True),
        _int("first", primary_key=True),
        sa.Column("verdicts", sa.JSON(), nullable=False),
    )


def _alerts() -> None:
    op.create_table(
        "alert",
        _big("id", primary_key=True),
        _sha("fingerprint"),
        _text("rule"),
        _text("pattern"),
        _text("product", nullable=True),
        _text("step", nullable=True),
        _text("tool", nullable=True),
        _word("severity"),
        _word("state"),
        _text("title"),
        _text("action"),
        _sha("inspection_id", "inspection.id", nullable=True),
        _big("job_id", "job.id", nullable=True),
        _int("count"),
        _moment("first_seen"),
        _moment("last_seen"),
        _int("version"),
        _text("handled_by", nullable=True),
        _moment("handled_at", nullable=True),
    )
    is_open = sa.text("state IN ('open', 'acknowledged')")
    op.create_index(
        "uq_alert_open_fingerprint",
        "alert",
        ["fingerprint"],
        unique=True,
        sqlite_where=is_open,
        postgresql_where=is_open,
    )
    op.create_index("ix_alert_last_seen_id", "alert", ["last_seen", "id"])
    op.create_table(
        "alert_occurrence",
        _sha("fingerprint", primary_key=True),
        _sha("subject", primary_key=True),
        _big("alert_id", "alert.id", index=True),
        _sha("inspection_id", "inspection.id", nullable=True, index=True),
        _moment("seen_at"),
    )
    op.create_table(
        "alert_event",
        _big("alert_id", "alert.id", primary_key=True),
        _int("number", primary_key=True),
        _moment("at"),
        _text("actor"),
        _word("before", nullable=True),
        _word("after"),
        _text("note"),
        _sha("previous_hash"),
        _sha("hash"),
    )
    op.create_table(
        "outbox",
        _big("id", primary_key=True),
        _sha("event_id"),
        _text("channel"),
        _big("alert_id", "alert.id", index=True),
        sa.Column("body", sa.JSON(), nullable=False),
        _moment("created_at"),
        _moment("not_before"),
        _int("attempts"),
        _int("fence"),
        _moment("lease_until", nullable=True),
        _moment("sent_at", nullable=True),
        _moment("failed_at", nullable=True),
        _text("error", nullable=True),
    )
    op.create_index("uq_outbox_event_id_channel", "outbox", ["event_id", "channel"], unique=True)
    op.create_index("ix_outbox_channel_sent_at_not_before", "outbox", ["channel", "sent_at", "not_before"])


def _protect_history() -> None:
    """The database itself refuses to change or remove what happened to an alert."""
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER alert_event_no_{verb.lower()} BEFORE {verb} ON alert_event "
                "BEGIN SELECT RAISE(ABORT, 'alert_event is append-only'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
    )
    op.execute(
        "CREATE TRIGGER alert_event_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON alert_event "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
    )


def _column(
    name: str,
    kind: sa.types.TypeEngine[Any],
    parent: str | None,
    *,
    nullable: bool = False,
    primary_key: bool = False,
    unique: bool = False,
    index: bool = False,
) -> Column:
    references = (sa.ForeignKey(parent),) if parent else ()
    return sa.Column(
        name, kind, *references, nullable=nullable, primary_key=primary_key, unique=unique, index=index or None
    )


def _sha(name: str, parent: str | None = None, **options: bool) -> Column:
    return _column(name, sa.String(64), parent, **options)


def _big(name: str, parent: str | None = None, **options: bool) -> Column:
    return _column(name, sa.BigInteger().with_variant(sa.Integer(), "sqlite"), parent, **options)


def _int(name: str, **options: bool) -> Column:
    return _column(name, sa.Integer(), None, **options)


def _double(name: str) -> Column:
    return _column(name, sa.Double(), None)


def _text(name: str, **options: bool) -> Column:
    return _column(name, sa.Text(), None, **options)


def _word(name: str, **options: bool) -> Column:
    return _column(name, sa.String(32), None, **options)


def _moment(name: str, **options: bool) -> Column:
    return _column(name, sa.DateTime(timezone=True), None, **options)
