"""What was found over time: counts by pattern and by interval, for charts and the shift report; and who did what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Double, Integer, case, cast, extract, func, select
from sqlalchemy.orm import InstrumentedAttribute

from models.domain.alert import AlertState
from models.domain.verdict import Reason
from services.records.alert_tables import AlertEventRow, AlertRow
from services.records.queries import InspectionFilter
from services.records.reading import alert_summary
from services.records.session import ReadSession
from services.records.tables import InspectionRow
from services.records.views import AlertSummary

UNKNOWN = "unknown"
_REFUSED = InspectionRow.label.is_(None) & (InspectionRow.reason != Reason.NOT_INSPECTED)
_DEFECT = InspectionRow.label.is_not(None) & InspectionRow.label.is_distinct_from(InspectionRow.normal)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time: from `since` on, before `until`; both UTC with zone."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Share:
    """How many captures were given a label; `normal` is True for the label that needs no action."""

    label: str
    captures: int
    normal: bool


@dataclass(frozen=True, slots=True)
class Interval:
    """What was found in one stretch of time.

    Attributes:
        since: its beginning.
        captures: inspected.
        defects: given a label other than normal.
        unknown: refused a label.
    """

    since: datetime
    captures: int
    defects: int
    unknown: int

    @property
    def failing(self) -> int:
        """Captures somebody has to look at."""
        return self.defects + self.unknown


@dataclass(frozen=True, slots=True)
class Deed:
    """Something somebody did to an alert."""

    alert_id: int
    title: str
    number: int
    at: datetime
    actor: str
    before: AlertState | None
    after: AlertState
    note: str
    hash: str


def shares(session: ReadSession, over: Span, which: InspectionFilter) -> tuple[Share, ...]:
    """Captures by label, the most frequent first; refused ones as 'unknown'."""
    label = case((_REFUSED, UNKNOWN), else_=func.coalesce(InspectionRow.label, Reason.NOT_INSPECTED.value))
    is_normal = case((_DEFECT | _REFUSED, 0), else_=1)
    wanted = (
        select(label, is_normal, func.count())
        .select_from(InspectionRow)
        .where(*_within(over), *which.conditions())
        .group_by(label, is_normal)
    )
    found = [Share(name, number, bool(normal)) for name, normal, number in session.execute(wanted).tuples()]
    return tuple(sorted(found, key=lambda one: (-one.captures, one.label)))


def intervals(session: ReadSession, over: Span, step: timedelta, which: InspectionFilter) -> tuple[Interval, ...]:
    """The same by time, in equal steps from the beginning, empty ones included.

    Args:
        session: reads.
        over: the whole stretch.
        step: length of an interval.
        which: only these.
    """
    seconds = step.total_seconds()
    place = place_of(session, InspectionRow.recorded_at, over, step)
    wanted = (
        select(place, func.count(), func.count(case((_DEFECT, 1))), func.count(case((_REFUSED, 1))))
        .select_from(InspectionRow)
        .where(*_within(over), *which.conditions())
        .group_by(place)
    )
    found = {row[0]: row[1:] for row in session.execute(wanted).tuples()}
    count = max(1, -(-int((over.until - over.since).total_seconds()) // int(seconds)))
    return tuple(Interval(over.since + k * step, *found.get(k, (0, 0, 0))) for k in range(count))


def deeds(session: ReadSession, over: Span, *, limit: int = 1000) -> tuple[Deed, ...]:
    """What was done to alerts, the newest first."""
    wanted = (
        select(AlertEventRow, AlertRow.title)
        .join(AlertRow, AlertRow.id == AlertEventRow.alert_id)
        .where(AlertEventRow.at >= over.since, AlertEventRow.at < over.until)
        .order_by(AlertEventRow.at.desc(), AlertEventRow.alert_id.desc(), AlertEventRow.number.desc())
        .limit(limit)
    )
    return tuple(
        Deed(row.alert_id, title, row.number, row.at, row.actor, row.before, row.after, row.note, row.hash)
        for row, title in session.execute(wanted).tuples()
    )


def alerts_of_span(session: ReadSession, over: Span, *, limit: int = 500) -> tuple[AlertSummary, ...]:
    """Alerts that were raised, repeated or changed in a stretch of time, or that were open all through it."""
    touched = (AlertRow.last_seen >= over.since) | (AlertRow.handled_at >= over.since)
    waiting = AlertRow.state.in_((AlertState.OPEN, AlertState.ACKNOWLEDGED))
    wanted = (
        select(AlertRow)
        .where(AlertRow.first_seen < over.until, touched | waiting)
        .order_by(AlertRow.last_seen.desc(), AlertRow.id.desc())
        .limit(limit)
    )
    return tuple(alert_summary(row) for row in session.scalars(wanted))


def _within(over: Span) -> Sequence[ColumnElement[bool]]:
    return (InspectionRow.recorded_at >= over.since, InspectionRow.recorded_at < over.until)


def place_of(session: ReadSession, at: InstrumentedAttribute[Any], over: Span, step: timedelta) -> ColumnElement[int]:
    """Number of the interval a moment lies in, from 0."""
    if session.get_bind().dialect.name == "sqlite":
        epoch: ColumnElement[float] = (func.julianday(at) - 2440587.5) * 86400.0
    else:
        epoch = cast(extract("epoch", at), Double)
    return cast(func.floor((epoch - over.since.timestamp()) / step.total_seconds()), Integer)
