"""Numbers over everything, for the head of pages and the tiles: cheap, because they are asked for all the time."""

from datetime import datetime

from sqlalchemy import case, func, select

from models.domain.alert import AlertState, Severity
from models.domain.verdict import Reason
from services.records.alert_tables import IS_OPEN, AlertRow
from services.records.queries import NOT_OVER, inspections
from services.records.session import ReadSession, now
from services.records.silences import active_silences, is_silenced
from services.records.tables import InspectionRow, JobRow, JobState
from services.records.views import Day, Marks


def marks(session: ReadSession) -> Marks:
    """What pages compare every second to see whether anything changed; no scan of what is done and closed."""
    # IS_OPEN is spelt out, or no database sees that the index of open alerts covers it.
    counted = (
        select(AlertRow.severity, func.count())
        .where(IS_OPEN, AlertRow.state == AlertState.OPEN, ~is_silenced(active_silences(session, now(session))))
        .group_by(AlertRow.severity)
    )
    by_severity: dict[Severity, int] = dict(session.execute(counted).tuples().all())
    by_state = session.execute(
        select(JobRow.state, func.count(), func.sum(JobRow.windows_done))
        .where(JobRow.state.in_(NOT_OVER))
        .group_by(JobRow.state)
    ).tuples()
    jobs_now = {state: (number, windows or 0) for state, number, windows in by_state}
    return Marks(
        at=now(session),
        last_alert_at=session.scalar(select(func.max(AlertRow.last_seen))),
        last_handled_at=session.scalar(select(func.max(AlertRow.handled_at))),
        open_alerts=sum(by_severity.values()),
        critical=by_severity.get(Severity.CRITICAL, 0),
        last_inspection_at=session.scalar(select(func.max(InspectionRow.recorded_at))),
        jobs={state: number for state, (number, _) in jobs_now.items()},
        windows=jobs_now.get(JobState.RUNNING, (0, 0))[1],
    )


def day(session: ReadSession, *, since: datetime) -> Day:
    """How much was inspected since a moment, and with what result."""
    refused = InspectionRow.label.is_(None) & (InspectionRow.reason != Reason.NOT_INSPECTED)
    defect = InspectionRow.label.is_not(None) & InspectionRow.label.is_distinct_from(InspectionRow.normal)
    total, unknown, defects = session.execute(
        select(func.count(), func.count(case((refused, 1))), func.count(case((defect, 1)))).where(
            InspectionRow.recorded_at >= since
        )
    ).one()
    newest = inspections(session, limit=100).items
    waits = [(one.recorded_at - one.received_at).total_seconds() for one in newest if one.recorded_at >= since]
    return Day(total, unknown, defects, sum(waits) / len(waits) if waits else None)
