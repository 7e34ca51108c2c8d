"""What channels are told of an alert: one message per event and channel, written with the event it tells of."""

import hashlib
from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from services.records.alert_tables import AlertRow
from services.records.session import WriteSession
from services.records.tables import OutboxRow


class Event(StrEnum):
    """What happened."""

    OPENED = "alert.opened"
    REPEATED = "alert.repeated"
    """It goes on and nobody has acknowledged it; once per window."""
    ESCALATED = "alert.escalated"
    """Nobody has acknowledged it in time: others hear of it."""
    CLOSED = "alert.closed"
    """A person resolved it or called it false."""


def tell(
    session: WriteSession, row: AlertRow, event: Event, *, cause: str, at: datetime, names: Collection[str]
) -> None:
    """Write the messages of an event.

    Args:
        session: the transaction of the event.
        row: the alert as it is now.
        event: what happened.
        cause: names the event among those of its kind and fingerprint: what was raised again after a lost commit is
            the same event, and receivers drop what they know.
        at: the database's time.
        names: the channels.
    """
    event_id = hashlib.sha256(f"{event.value}:{row.fingerprint}:{cause}".encode()).hexdigest()
    body = {
        "event": event.value,
        "alert_id": row.id,
        "fingerprint": row.fingerprint,
        "inspection_id": row.inspection_id,
        "job_id": row.job_id,
        "rule": row.rule,
        "pattern": row.pattern,
        "product": row.product,
        "step": row.step,
        "tool": row.tool,
        "severity": row.severity.value,
        "state": row.state.value,
        "disposition": None if row.disposition is None else row.disposition.value,
        "title": row.title,
        "action": row.action,
        "count": row.count,
        "first_seen": row.first_seen.isoformat(),
        "last_seen": row.last_seen.isoformat(),
        "raised_at": at.isoformat(),
    }
    session.add_all(
        OutboxRow(event_id=event_id, channel=name, alert_id=row.id, body=body, created_at=at, not_before=at)
        for name in sorted(set(names))
    )
    session.flush()
