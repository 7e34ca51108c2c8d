"""The tables of alerts.

alert ─< alert_occurrence, alert_event     one trouble; the captures that showed it; what people did
silence                                    troubles nobody wants to hear of for a while
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from models.domain.alert import AlertState, Disposition, Severity, SilenceKind
from services.records.tables import Base, BigInt, Id, Sha256

IS_OPEN = text(f"state IN ('{AlertState.OPEN.value}', '{AlertState.ACKNOWLEDGED.value}')")
"""An alert that still gathers repeats."""


class AlertRow(Base):
    """One trouble, however many captures show it."""

    __tablename__ = "alert"
    __table_args__ = (
        Index("uq_alert_open_fingerprint", "fingerprint", unique=True, sqlite_where=IS_OPEN, postgresql_where=IS_OPEN),
        Index("ix_alert_last_seen_id", "last_seen", "id"),
        Index("ix_alert_handled_at", "handled_at"),
        Index("ix_alert_fingerprint_handled_at", "fingerprint", "handled_at"),
        Index("ix_alert_first_seen", "first_seen"),
    )

    id: Mapped[Id]
    fingerprint: Mapped[Sha256]
    """Unique among the alerts that are not closed."""
    rule: Mapped[str]
    pattern: Mapped[str]
    product: Mapped[str | None]
    step: Mapped[str | None]
    tool: Mapped[str | None]
    severity: Mapped[Severity]
    state: Mapped[AlertState]
    title: Mapped[str]
    action: Mapped[str]
    inspection_id: Mapped[Sha256 | None] = mapped_column(ForeignKey("inspection.id"))
    """The inspection that raised it first; the others are its occurrences."""
    job_id: Mapped[int | None] = mapped_column(BigInt, ForeignKey("job.id"))
    """The job that raised it first, where there is no inspection: quarantined or dead."""
    count: Mapped[int]
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    version: Mapped[int]
    """Grows when a person changes the alert (optimistic locking); repeats leave it alone."""
    handled_by: Mapped[str | None]
    handled_at: Mapped[datetime | None]
    assigned_to: Mapped[str | None]
    disposition: Mapped[Disposition | None]
    """Why it was closed; set with the closing state."""
    told_at: Mapped[datetime | None]
    """When channels heard of it last; None where a silence kept it from them."""
    tell: Mapped[list[str] | None]
    """Channels that hear of it."""
    escalate_at: Mapped[datetime | None]
    """When others shall hear of it, unless somebody acknowledges; None once they have."""
    escalate_to: Mapped[list[str] | None]
    """Their channels."""


class AlertOccurrenceRow(Base):
    """One subject that showed one trouble; it counts once, however often and with whatever bundle it is inspected."""

    __tablename__ = "alert_occurrence"

    fingerprint: Mapped[Sha256] = mapped_column(primary_key=True)
    subject: Mapped[Sha256] = mapped_column(primary_key=True)
    """Id of the capture, or hash of the file that could not be inspected."""
    alert_id: Mapped[int] = mapped_column(BigInt, ForeignKey("alert.id"), index=True)
    inspection_id: Mapped[Sha256 | None] = mapped_column(ForeignKey("inspection.id"), index=True)
    seen_at: Mapped[datetime]


class AlertEventRow(Base):
    """What happened to an alert, and who did it. Rows are only ever added; each carries the hash of the one before."""

    __tablename__ = "alert_event"
    __table_args__ = (Index("ix_alert_event_at", "at"),)

    alert_id: Mapped[int] = mapped_column(BigInt, ForeignKey("alert.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    actor: Mapped[str]
    before: Mapped[AlertState | None]
    after: Mapped[AlertState]
    note: Mapped[str]
    request: Mapped[str | None]
    """Id of the request that did it; None for the service's own doing, and for rows of before there were ids."""
    previous_hash: Mapped[Sha256]
    hash: Mapped[Sha256]


class SilenceRow(Base):
    """A trouble that nobody wants to hear of for a while: known, or expected while a tool is being worked on.

    It concerns alerts that fit everything it names; what is None does not matter.
    """

    __tablename__ = "silence"
    __table_args__ = (Index("ix_silence_until", "until"),)

    id: Mapped[Id]
    kind: Mapped[SilenceKind]
    rule: Mapped[str | None]
    pattern: Mapped[str | None]
    product: Mapped[str | None]
    step: Mapped[str | None]
    tool: Mapped[str | None]
    starts_at: Mapped[datetime]
    until: Mapped[datetime]
    """Expiry; moved forward where somebody ends it early."""
    every_days: Mapped[int | None]
    """It comes back after so many days; None = once."""
    follows: Mapped[int | None] = mapped_column(BigInt, ForeignKey("silence.id"), unique=True)
    """The one it came back from."""
    author: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[datetime]
    ended_by: Mapped[str | None]
    """Who ended it early."""
    ended_at: Mapped[datetime | None]
    held_back: Mapped[int]
    """Findings that opened no alert because of it (maintenance)."""
