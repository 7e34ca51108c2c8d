"""Silences as pages, rules and messages read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, tuple_

from models.domain.alert import Fingerprint, SilenceKind
from services.records.alert_tables import AlertRow, SilenceRow
from services.records.session import now
from services.records.sightings import Session
from services.records.views import AlertSummary, Cursor, Page

NAMED = ("rule", "pattern", "product", "step", "tool")
"""What a silence may name; each is a column of alerts, too."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A trouble nobody wants to hear of for a while; what it names must fit, what is None does not matter."""

    id: int
    kind: SilenceKind
    rule: str | None
    pattern: str | None
    product: str | None
    step: str | None
    tool: str | None
    starts_at: datetime
    until: datetime
    every_days: int | None
    author: str
    reason: str
    created_at: datetime
    ended_by: str | None
    ended_at: datetime | None
    held_back: int

    def fits(self, fingerprint: Fingerprint) -> bool:
        """Whether it concerns a trouble."""
        return all(getattr(self, name) in (None, getattr(fingerprint, name)) for name in NAMED)

    def is_active(self, at: datetime) -> bool:
        """Whether it holds at a moment."""
        return self.starts_at <= at < self.until

    @property
    def names(self) -> tuple[tuple[str, str], ...]:
        """What it names, for people."""
        return tuple((name, getattr(self, name)) for name in NAMED if getattr(self, name) is not None)


def silences(session: Session, *, since: datetime, limit: int = 50, after: Cursor | None = None) -> Page[Silence]:
    """Those that hold, will hold, or ended since a moment; the last to end first."""
    wanted = select(SilenceRow).where(SilenceRow.until >= since).order_by(SilenceRow.until.desc(), SilenceRow.id.desc())
    if after is not None:
        wanted = wanted.where(tuple_(SilenceRow.until, SilenceRow.id) < (after.moment, after.number))
    found = [view(row) for row in session.scalars(wanted.limit(limit + 1))]
    return Page.cut(found, limit, lambda one: Cursor(one.until, str(one.id)))


def active_silences(session: Session, at: datetime) -> tuple[Silence, ...]:
    """Those that hold at a moment; few."""
    wanted = select(SilenceRow).where(SilenceRow.starts_at <= at, SilenceRow.until > at).order_by(SilenceRow.id)
    return tuple(view(row) for row in session.scalars(wanted))


def silences_of(session: Session, alert: AlertSummary) -> tuple[Silence, ...]:
    """Those that concern an alert now."""
    fingerprint = Fingerprint(alert.rule, alert.pattern, alert.product, alert.step, alert.tool)
    return tuple(one for one in active_silences(session, now(session)) if one.fits(fingerprint))


def is_silenced(active: Sequence[Silence]) -> ColumnElement[bool]:
    """The same for SQL: alerts that one of these concerns.

    Spelt out value by value: the database then uses the indices of alerts, and asks nothing where nothing is silenced.
    """
    return or_(
        False,
        *(and_(*(getattr(AlertRow, name) == value for name, value in one.names)) for one in active),
    )


def view(row: SilenceRow) -> Silence:
    """A row as others read it."""
    return Silence(
        id=row.id,
        kind=row.kind,
        rule=row.rule,
        pattern=row.pattern,
        product=row.product,
        step=row.step,
        tool=row.tool,
        starts_at=row.starts_at,
        until=row.until,
        every_days=row.every_days,
        author=row.author,
        reason=row.reason,
        created_at=row.created_at,
        ended_by=row.ended_by,
        ended_at=row.ended_at,
        held_back=row.held_back,
    )
