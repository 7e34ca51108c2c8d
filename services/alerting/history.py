"""What happened to an alert, as a chain of its own (see `services.records.chain`)."""

from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from models.domain.alert import AlertState
from services.records.alert_tables import AlertEventRow
from services.records.chain import START, link
from services.records.session import WriteSession
from services.telemetry.request_id import current_request_id


def add_event(
    session: WriteSession,
    alert_id: int,
    *,
    at: datetime,
    actor: str,
    before: AlertState | None,
    after: AlertState,
    note: str,
) -> None:
    """Append to an alert's history; the caller holds the alert's row, so that there is one writer at a time."""
    last = session.scalars(
        select(AlertEventRow).where(AlertEventRow.alert_id == alert_id).order_by(AlertEventRow.number.desc()).limit(1)
    ).first()
    row = AlertEventRow(
        alert_id=alert_id,
        number=0 if last is None else last.number + 1,
        at=at,
        actor=actor,
        before=before,
        after=after,
        note=note,
        request=current_request_id(),
        previous_hash=START if last is None else last.hash,
    )
    row.hash = link(row.previous_hash, content_of(row))
    session.add(row)
    session.flush()


def first_broken(session: Session, alert_id: int) -> int | None:
    """Number of the first event that does not fit the one before or its own hash; None if the chain is whole."""
    previous = START
    events = select(AlertEventRow).where(AlertEventRow.alert_id == alert_id).order_by(AlertEventRow.number)
    for expected, row in enumerate(session.scalars(events)):
        if row.number != expected or row.previous_hash != previous or row.hash != link(previous, content_of(row)):
            return row.number
        previous = row.hash
    return None


def content_of(row: AlertEventRow) -> list[object]:
    """An event as it is hashed; without a request it is hashed as it was before there were any."""
    said = [
        row.alert_id,
        row.number,
        row.at.astimezone(UTC).isoformat(),
        row.actor,
        row.before.value if row.before else None,
        row.after.value,
        row.note,
    ]
    return said if row.request is None else [*said, row.request]
