"""What happened since a moment: inspections recorded, alerts opened and changed, in the order of their times."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from services.records.alert_tables import AlertEventRow, AlertRow
from services.records.session import ReadSession
from services.records.tables import CaptureRow, InspectionRow

LATE = timedelta(seconds=10)
"""A row carries the time at which it was written and is seen once its transaction ends: rows may turn up so much later
than others with later times."""


@dataclass(frozen=True, slots=True)
class Happening:
    """One of them.

    Attributes:
        at: when, on the database's clock.
        id: unique, whoever asks and how often.
        kind: 'inspection' or 'alert'.
        data: what it is about, as JSON knows it.
    """

    at: datetime
    id: str
    kind: str
    data: dict[str, Any]


def happened(session: ReadSession, since: datetime, *, limit: int = 500) -> tuple[Happening, ...]:
    """The first `limit` of what happened from a moment on."""
    judged = (
        select(InspectionRow, CaptureRow)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .where(InspectionRow.recorded_at >= since)
        .order_by(InspectionRow.recorded_at, InspectionRow.id)
        .limit(limit)
    )
    changed = (
        select(AlertEventRow, AlertRow)
        .join(AlertRow, AlertRow.id == AlertEventRow.alert_id)
        .where(AlertEventRow.at >= since)
        .order_by(AlertEventRow.at, AlertEventRow.alert_id, AlertEventRow.number)
        .limit(limit)
    )
    found = [_inspection(row, of) for row, of in session.execute(judged).tuples()]
    found += [_alert(row, of) for row, of in session.execute(changed).tuples()]
    return tuple(sorted(found, key=lambda one: (one.at, one.id))[:limit])


def _inspection(row: InspectionRow, of: CaptureRow) -> Happening:
    data = {
        "id": row.id, "capture": of.name, "lot": of.lot, "wafer": of.wafer, "product": of.product, "step": of.step,
        "tool": of.tool, "label": row.label, "confidence": row.confidence, "novelty": row.novelty,
        "reason": row.reason.value, "bundle": row.bundle_digest,
    }  # fmt: skip
    return Happening(row.recorded_at, f"inspection:{row.id}", "inspection", data)


def _alert(row: AlertEventRow, of: AlertRow) -> Happening:
    data = {
        "id": of.id, "title": of.title, "severity": of.severity.value, "rule": of.rule, "pattern": of.pattern,
        "product": of.product, "step": of.step, "tool": of.tool, "actor": row.actor, "note": row.note,
        "before": row.before and row.before.value, "after": row.after.value, "number": row.number,
    }  # fmt: skip
    return Happening(row.at, f"alert:{of.id}:{row.number}", "alert", data)
