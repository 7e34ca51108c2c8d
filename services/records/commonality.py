"""The wafers an alert's commonality is looked for in: those that show its pattern and the others of the same time."""

from datetime import timedelta

from sqlalchemy import select

from models.commonality import Commonality, Wafer, commonalities
from models.domain.verdict import Reason
from services.alerting.rule_kinds import FAILING, UNKNOWN
from services.records.sightings import Session, sighting_of_row
from services.records.tables import CaptureRow, InspectionRow
from services.records.views import AlertSummary

AROUND = timedelta(days=1)
"""Wafers are compared from so long before the first finding until so long after the last."""
MOST = 5000
"""Newest wafers looked at: two hundred lots."""


def commonality_of(session: Session, alert: AlertSummary) -> tuple[Commonality, ...]:
    """What the wafers that show an alert's pattern share, whichever rule, tool or product they belong to.

    The alert's own place is not taken as given: it would be shared by definition.
    """
    if alert.inspection_id is None:
        return ()
    rows = session.execute(
        select(InspectionRow, CaptureRow.slot)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .where(InspectionRow.recorded_at >= alert.first_seen - AROUND)
        .where(InspectionRow.recorded_at <= alert.last_seen + AROUND)
        .where(InspectionRow.is_first, InspectionRow.reason != Reason.NOT_INSPECTED)
        .order_by(InspectionRow.recorded_at.desc(), InspectionRow.id)
        .limit(MOST)
    ).tuples()
    return commonalities([_wafer(row, slot, alert.pattern) for row, slot in rows])


def _wafer(row: InspectionRow, slot: int | None, pattern: str) -> Wafer:
    seen = sighting_of_row(row)
    if pattern == FAILING:
        affected = seen.is_failing
    elif pattern == UNKNOWN:
        affected = seen.is_unknown
    elif pattern in set(Reason):
        affected = Reason(pattern) in seen.refused
    else:
        affected = pattern in seen.shown
    given = {
        "lot": row.lot,
        "product": row.product,
        "step": row.step,
        "tool": row.tool,
        "slot": None if slot is None else str(slot),
    }
    return Wafer(affected, {name: value for name, value in given.items() if value is not None})
