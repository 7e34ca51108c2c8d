"""The tables, typed. Times are UTC with zone, hashes are lower-case hex, JSON holds lists and objects of scalars.

    source_file ─< receipt                     bytes, kept once; each time they arrived
        ├─< job ─< inspection ─< verdict       work to do; what it found (until then: block)
        └─< capture ─< inspection
        ├── spot                               an unknown place of a frame, which people name by itself
        ├─< label, ── opinion                  what people say it shows, and what they make of it together
        └── cluster_member >─ cluster          unknown captures that look alike
    inspection ── looks                        how the capture looks as a whole
        └─< heat                               where a dense level showed how much of which class
    alert ─< outbox                            messages still to be sent, one per channel; see `alert_tables`

A lazy load is a bug (`lazy="raise"`): queries say what they need.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, cast

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Dialect,
    Double,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    false,
    func,
    text,
    true,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from models.domain.alert import AlertState, Disposition, Severity, SilenceKind
from models.domain.capture import CaptureKind
from models.domain.label import Agreement
from models.domain.verdict import Reason


class UtcDateTime(TypeDecorator[datetime]):
    """A moment. PostgreSQL keeps the zone; SQLite keeps UTC text, which sorts like the moment itself."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse moments without zone: they would be off by hours without anyone noticing."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime for a UTC column: {value}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Always with zone UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JobState(StrEnum):
    """Life of a job; the last four are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    """Tried too often, or failed in a way nobody foresaw: needs a person."""
    QUARANTINED = "quarantined"
    """The input is wrong and stays wrong; the reason is on the row."""
    CANCELLED = "cancelled"


BigInt = BigInteger().with_variant(Integer(), "sqlite")
"""SQLite numbers rows by itself only in a column declared INTEGER, which holds 64 bits there."""

Sha256 = Annotated[str, mapped_column(String(64))]
Id = Annotated[int, mapped_column(BigInt, primary_key=True)]


def words_of(words: type[StrEnum]) -> Enum:
    """Enumerations as their words in a text column: readable in any database tool, and a new word is no migration."""
    return Enum(words, native_enum=False, length=32, values_callable=lambda enum: [word.value for word in enum])


class Base(DeclarativeBase):
    """Root of the tables; every constraint has a predictable name, so that migrations can change it."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy's own attribute
        str: Text(),
        float: Double(),
        datetime: UtcDateTime(),
        list[str]: JSON(none_as_null=True),
        list[float]: JSON(none_as_null=True),
        dict[str, Any]: JSON(),
        dict[str, float]: JSON(none_as_null=True),
        list[dict[str, Any]]: JSON(),
        JobState: words_of(JobState),
        CaptureKind: words_of(CaptureKind),
        Reason: words_of(Reason),
        Severity: words_of(Severity),
        Agreement: words_of(Agreement),
        AlertState: words_of(AlertState),
        Disposition: words_of(Disposition),
        SilenceKind: words_of(SilenceKind),
    }


def table_of(row: type[Base]) -> Table:
    """The table behind a class: statements on it are several times as fast, where no objects are wanted."""
    return cast("Table", row.__table__)


IS_UNFINISHED = text(f"state IN ('{JobState.QUEUED.value}', '{JobState.RUNNING.value}')")
"""A job that waits or is worked on."""
ENDED_BADLY = text(f"state IN ('{JobState.QUARANTINED.value}', '{JobState.DEAD.value}')")
"""A job that ended badly."""
IS_REFUSED = text(f"label IS NULL AND reason <> '{Reason.NOT_INSPECTED.value}'")
"""An inspection that was refused a label."""
IS_UNSENT = text("sent_at IS NULL AND failed_at IS NULL")
"""A message that is still to be sent."""
IS_GIVEN_UP = text("failed_at IS NOT NULL")
"""A message that no receiver took."""


def _partial(name: str, where: TextClause, *columns: str) -> Index:
    """An index of the rows that matter. Queries spell its condition out, or no database sees that it covers them."""
    return Index(name, *columns, sqlite_where=where, postgresql_where=where)


class SourceFileRow(Base):
    """Accepted bytes, kept in the spool under their hash."""

    __tablename__ = "source_file"

    sha256: Mapped[Sha256] = mapped_column(primary_key=True)
    size_bytes: Mapped[int] = mapped_column(BigInt)
    name: Mapped[str]
    """File name under which these bytes came first: for people, never used as a path."""
    received_at: Mapped[datetime]


class ReceiptRow(Base):
    """One arrival of a file, also of bytes that were known already."""

    __tablename__ = "receipt"

    id: Mapped[Id]
    arrival_key: Mapped[Sha256] = mapped_column(unique=True)
    """The same arrival reported twice (two watchers, a repeated upload) is one receipt."""
    sha256: Mapped[Sha256] = mapped_column(ForeignKey("source_file.sha256"), index=True)
    job_id: Mapped[int] = mapped_column(BigInt, ForeignKey("job.id"), index=True)
    origin: Mapped[str]
    """Which door: 'watch', 'upload' or 'command'."""
    sender: Mapped[str]
    """Who brought it: a tool, a person, a key's name; '' if nobody said."""
    path: Mapped[str]
    """Where it lay, or the name the client gave it."""
    received_at: Mapped[datetime] = mapped_column(index=True)


class JobRow(Base):
    """Inspect one source file along one route."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_state_priority_id", "state", "priority", "id"),
        Index("ix_job_sender_id", "sender", "id"),
        _partial("ix_job_unfinished_sender", IS_UNFINISHED, "sender"),
        _partial("ix_job_ended_badly", ENDED_BADLY, "id"),
        Index("ix_job_finished_at", "finished_at"),
    )

    id: Mapped[Id]
    dedupe_key: Mapped[Sha256] = mapped_column(unique=True)
    """Hash of file × route: the same bytes along the same route are the same job."""
    sha256: Mapped[Sha256] = mapped_column(ForeignKey("source_file.sha256"), index=True)
    route: Mapped[str]
    """What shall judge: the digest of a bundle, or a name that workers resolve."""
    state: Mapped[JobState]
    sender: Mapped[str]
    """Who brought these bytes first: quotas count by it."""
    priority: Mapped[int]
    """A `Priority`'s rank: lower goes first."""
    attempts: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    """Grows with every claim: whoever shows an older one has lost the job."""
    owner: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    not_before: Mapped[datetime]
    """Earliest next try (backoff)."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    windows_done: Mapped[int] = mapped_column(default=0)
    """Progress of the try under way, for people."""
    error_code: Mapped[str | None]
    error_what: Mapped[str | None]
    error_where: Mapped[str | None]
    error_expected: Mapped[str | None]
    error_got: Mapped[str | None]
    error_remedy: Mapped[str | None]

    source: Mapped[SourceFileRow] = relationship(lazy="raise")


class CaptureRow(Base):
    """One inspected picture found in a source file; see `models.domain.capture.Capture` for the fields."""

    __tablename__ = "capture"

    id: Mapped[Sha256] = mapped_column(primary_key=True)
    sha256: Mapped[Sha256] = mapped_column(ForeignKey("source_file.sha256"), index=True)
    kind: Mapped[CaptureKind]
    name: Mapped[str]
    height: Mapped[float]
    width: Mapped[float]
    lot: Mapped[str | None] = mapped_column(index=True)
    wafer: Mapped[str | None]
    slot: Mapped[int | None]
    product: Mapped[str | None]
    step: Mapped[str | None]
    tool: Mapped[str | None]
    inspected_at: Mapped[datetime | None] = mapped_column(DateTime())
    """Local time of the tool, without zone: files carry none."""
    crs_wkt: Mapped[str | None]
    transform: Mapped[list[float] | None]


WAS_JUDGED = text(f"reason != '{Reason.NOT_INSPECTED.value}'")
"""An inspection that saw something, so that a person can say what it shows."""
WAITS_FOR_A_WORD = text(f"reason != '{Reason.NOT_INSPECTED.value}' AND NOT is_labelled")
"""The same, of a capture nobody said anything about."""


_LISTED_BY = ("lot", "product", "step", "tool", "label")


class InspectionRow(Base):
    """One capture × one bundle, with the capture's own verdict and its place repeated for lists and rules."""

    __tablename__ = "inspection"
    __table_args__ = (
        *(Index(f"ix_inspection_{name}_recorded_at_id", name, "recorded_at", "id") for name in _LISTED_BY),
        _partial("ix_inspection_unknown", IS_REFUSED, "recorded_at", "id"),
        Index("ix_inspection_recorded_at_id", "recorded_at", "id"),
        _partial("ix_inspection_waits_confidence_id", WAITS_FOR_A_WORD, "confidence", "id"),
        Index("ix_inspection_rule_route_recorded_at", "rule", "route", "recorded_at"),
    )

    id: Mapped[Sha256] = mapped_column(primary_key=True)
    capture_id: Mapped[Sha256] = mapped_column(ForeignKey("capture.id"), index=True)
    job_id: Mapped[int] = mapped_column(BigInt, ForeignKey("job.id"), index=True)
    fence: Mapped[int]
    bundle_name: Mapped[str]
    bundle_version: Mapped[str]
    bundle_digest: Mapped[Sha256]
    normal: Mapped[str | None]
    started_at: Mapped[datetime]
    duration_s: Mapped[float]
    recorded_at: Mapped[datetime]
    label: Mapped[str | None]
    confidence: Mapped[float]
    novelty: Mapped[float]
    reason: Mapped[Reason]
    windows: Mapped[int]
    """How many were judged."""
    counts: Mapped[dict[str, Any]]
    """Windows per label, 'unknown' and 'not inspected' among them; objects where they are counted."""
    counted: Mapped[bool] = mapped_column(server_default=false())
    """True if verdicts are of objects, not of all windows."""
    warnings: Mapped[list[dict[str, Any]] | None]
    """What was odd in the file, which was read nevertheless: code, message, line. NULL: recorded before we kept it."""
    lot: Mapped[str | None]
    """This and the three below are the capture's: copies that a trigger makes, for the indices of lists."""
    product: Mapped[str | None]
    step: Mapped[str | None]
    tool: Mapped[str | None]
    rule: Mapped[str | None]
    """Of the routing that sent the capture here; None where the job named its bundle or route itself."""
    route: Mapped[str | None]
    """Along which the bundle was found."""
    is_first: Mapped[bool] = mapped_column(server_default=true())
    """No bundle judged the capture before, and it is no archive's: rules over several captures see each once."""
    shown: Mapped[dict[str, float] | None]
    """Defect classes on any window, each with its greatest confidence; None on rows older than this column."""
    refused: Mapped[list[str] | None]
    """Why windows were refused a label."""
    is_labelled: Mapped[bool] = mapped_column(server_default=false())
    """Somebody said what the capture shows: a copy, or the label queue would walk past all that is labelled already."""

    capture: Mapped[CaptureRow] = relationship(lazy="raise")
    verdicts: Mapped[list["VerdictRow"]] = relationship(lazy="raise", order_by="VerdictRow.ordinal")


class VerdictRow(Base):
    """What we state of one window; see `models.domain.verdict.Verdict` for the fields."""

    __tablename__ = "verdict"
    __table_args__ = (
        CheckConstraint("confidence >= 0 AND confidence <= 1", name="confidence_is_probability"),
        CheckConstraint("height > 0 AND width > 0", name="window_has_extent"),
        {"postgresql_partition_by": "RANGE (recorded_at)"},
    )

    inspection_id: Mapped[Sha256] = mapped_column(ForeignKey("inspection.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    recorded_at: Mapped[datetime] = mapped_column(primary_key=True, server_default=func.now())
    """As its inspection's: PostgreSQL keeps each month in a partition of its own, see `partitions`."""
    level: Mapped[int]
    level_height: Mapped[int]
    level_width: Mapped[int]
    top: Mapped[int]
    left: Mapped[int]
    height: Mapped[int]
    width: Mapped[int]
    label: Mapped[str | None]
    confidence: Mapped[float]
    novelty: Mapped[float]
    reason: Mapped[Reason]
    likeliest: Mapped[str | None]
    runner_up: Mapped[str | None]
    runner_up_confidence: Mapped[float]
    also: Mapped[list[str]]


class BlockRow(Base):
    """Verdicts of some windows of a capture whose inspection is not finished: a retry goes on behind them."""

    __tablename__ = "block"

    job_id: Mapped[int] = mapped_column(BigInt, ForeignKey("job.id"), primary_key=True)
    inspection_id: Mapped[Sha256] = mapped_column(primary_key=True)
    """Id that the inspection will have: no row of that name exists yet."""
    first: Mapped[int] = mapped_column(primary_key=True)
    """Ordinal of the first window."""
    verdicts: Mapped[list[dict[str, Any]]]


class LooksRow(Base):
    """How a capture looks as a whole to the bundle that judged it; float32, little-endian."""

    __tablename__ = "looks"

    inspection_id: Mapped[Sha256] = mapped_column(ForeignKey("inspection.id", ondelete="CASCADE"), primary_key=True)
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    shape: Mapped[bytes] = mapped_column(LargeBinary)


class SpotRow(Base):
    """An unknown place of a capture, and how it looks to the bundle that refused it; see `inspection.Spot`."""

    __tablename__ = "spot"
    __table_args__ = (Index("ix_spot_recorded_at", "recorded_at"),)

    inspection_id: Mapped[Sha256] = mapped_column(ForeignKey("inspection.id", ondelete="CASCADE"), primary_key=True)
    capture_id: Mapped[Sha256] = mapped_column(ForeignKey("capture.id"), primary_key=True, index=True)
    """Of the place: what was cut out."""
    recorded_at: Mapped[datetime]
    level: Mapped[int]
    level_height: Mapped[int]
    level_width: Mapped[int]
    top: Mapped[int]
    left: Mapped[int]
    height: Mapped[int]
    width: Mapped[int]
    confidence: Mapped[float]
    novelty: Mapped[float]
    reason: Mapped[Reason]
    likeliest: Mapped[str | None]
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    """float32, little-endian, as of `looks`."""
    shape: Mapped[bytes] = mapped_column(LargeBinary)


class HeatRow(Base):
    """A heat map; see `models.domain.heat.HeatMap`. Kept as long as verdicts are."""

    __tablename__ = "heat"

    inspection_id: Mapped[Sha256] = mapped_column(ForeignKey("inspection.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    level: Mapped[int]
    level_height: Mapped[int]
    level_width: Mapped[int]
    label: Mapped[str | None]
    box: Mapped[list[float]]
    greatest: Mapped[float]
    """For lists, which need not unpack the cells."""
    rows: Mapped[int]
    columns: Mapped[int]
    cells: Mapped[bytes] = mapped_column(LargeBinary)
    """uint8, row by row, deflated (RFC 1950)."""


class ClusterRow(Base):
    """Unknown captures that look alike; its number stays while most of them stay together."""

    __tablename__ = "cluster"

    id: Mapped[Id]
    opened_at: Mapped[datetime]
    merged_into: Mapped[int | None] = mapped_column(BigInt, ForeignKey("cluster.id"))
    """The cluster that took its captures over, once it is none of its own any more."""


class ClusterMemberRow(Base):
    """A capture in a cluster, by its newest inspection."""

    __tablename__ = "cluster_member"

    capture_id: Mapped[Sha256] = mapped_column(ForeignKey("capture.id", ondelete="CASCADE"), primary_key=True)
    inspection_id: Mapped[Sha256] = mapped_column(ForeignKey("inspection.id", ondelete="CASCADE"))
    cluster_id: Mapped[int] = mapped_column(BigInt, ForeignKey("cluster.id"), index=True)
    rank: Mapped[int]
    """0 is the medoid, the most typical one; then by distance from it."""


class LabelRow(Base):
    """What a person says a capture shows. Rows are only ever added: the newest one counts, the others are history."""

    __tablename__ = "label"

    id: Mapped[Id]
    capture_id: Mapped[Sha256] = mapped_column(ForeignKey("capture.id"), index=True)
    name: Mapped[str]
    """The class, one the model knows or a new one."""
    author: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]


class OpinionRow(Base):
    """What people make of a capture, kept with each word said of it: lists need not weigh all words there ever were."""

    __tablename__ = "opinion"
    __table_args__ = (Index("ix_opinion_agreement_first_id", "agreement", "first_id"),)

    capture_id: Mapped[Sha256] = mapped_column(ForeignKey("capture.id"), primary_key=True)
    label_id: Mapped[int] = mapped_column(BigInt, ForeignKey("label.id"), unique=True)
    """The newest word."""
    first_id: Mapped[int] = mapped_column(BigInt)
    """The first word: whoever waits longest is asked about first."""
    name: Mapped[str]
    """What most people say."""
    supporters: Mapped[int]
    people: Mapped[int]
    names: Mapped[int]
    agreement: Mapped[Agreement]
    """Where `PEOPLE` must say the same."""
    only_author: Mapped[str | None]
    """Who alone spoke; None if several did."""


class OutboxRow(Base):
    """A message to one channel, written with what it tells of and sent afterwards, at least once."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("uq_outbox_event_id_channel", "event_id", "channel", unique=True),
        _partial("ix_outbox_unsent", IS_UNSENT, "channel", "not_before", "id"),
        _partial("ix_outbox_given_up", IS_GIVEN_UP, "id"),
    )

    id: Mapped[Id]
    event_id: Mapped[Sha256]
    """Goes out as Idempotency-Key: receivers drop what they know."""
    channel: Mapped[str]
    alert_id: Mapped[int] = mapped_column(BigInt, ForeignKey("alert.id"), index=True)
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    fence: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    failed_at: Mapped[datetime | None]
    """Given up; shown to people, because an alert that reached nobody is one nobody knows of."""
    error: Mapped[str | None]
