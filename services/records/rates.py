"""What came in and went out per interval, for the service page: rates without Grafana, read from the rows themselves.

Counters of a process end with it; rows are there after any restart, and for every process.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import InstrumentedAttribute

from services.records.alert_tables import AlertRow
from services.records.quality import Span, place_of
from services.records.session import ReadSession
from services.records.tables import CaptureRow, InspectionRow, JobRow, JobState, ReceiptRow, SourceFileRow


@dataclass(frozen=True, slots=True)
class Rate:
    """One interval.

    Attributes:
        since: its beginning.
        arrived: files that came in.
        judged: captures that were judged.
        failed: files that could not be inspected.
        alerts: new ones.
        latency_s: mean time from the arrival of a file to its verdict, seconds; None = nothing was judged.
    """

    since: datetime
    arrived: int
    judged: int
    failed: int
    alerts: int
    latency_s: float | None


def rates(session: ReadSession, over: Span, step: timedelta) -> tuple[Rate, ...]:
    """Equal steps from the beginning, empty ones included."""
    arrived = _counted(session, ReceiptRow.received_at, over, step)
    alerts = _counted(session, AlertRow.first_seen, over, step)
    failed = _counted(session, JobRow.finished_at, over, step, JobState.QUARANTINED, JobState.DEAD)
    judged = _judged(session, over, step)
    count = max(1, round((over.until - over.since) / step))
    return tuple(
        Rate(
            since=over.since + k * step,
            arrived=arrived.get(k, 0),
            judged=judged.get(k, (0, None))[0],
            failed=failed.get(k, 0),
            alerts=alerts.get(k, 0),
            latency_s=judged.get(k, (0, None))[1],
        )
        for k in range(count)
    )


def _counted(
    session: ReadSession, at: InstrumentedAttribute[Any], over: Span, step: timedelta, *states: JobState
) -> Mapping[int, int]:
    place = place_of(session, at, over, step)
    wanted = select(place, func.count()).where(at >= over.since, at < over.until).group_by(place)
    if states:
        wanted = wanted.where(JobRow.state.in_(states))
    return dict(session.execute(wanted).tuples().all())


def _judged(session: ReadSession, over: Span, step: timedelta) -> Mapping[int, tuple[int, float | None]]:
    """Captures and mean latency; the arithmetic is done here, because databases disagree about moments."""
    at = InspectionRow.recorded_at
    wanted = (
        select(at, SourceFileRow.received_at)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .join(SourceFileRow, SourceFileRow.sha256 == CaptureRow.sha256)
        .where(at >= over.since, at < over.until)
    )
    waits: dict[int, list[float]] = {}
    for recorded, received in session.execute(wanted).tuples():
        waits.setdefault(int((recorded - over.since) / step), []).append((recorded - received).total_seconds())
    return {k: (len(found), sum(found) / len(found)) for k, found in waits.items()}
