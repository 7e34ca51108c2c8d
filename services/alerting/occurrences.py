"""Grouping: one trouble is one alert with a count, and one subject counts once."""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, update

from models.domain.alert import Alert, AlertState
from services.alerting.history import add_event
from services.records.session import WriteSession
from services.records.tables import IS_OPEN, AlertOccurrenceRow, AlertRow, OutboxRow
from services.records.upsert import insert_into, insert_new

SERVICE = "waferwatch"
"""Who acts where no person does."""


@dataclass(frozen=True, slots=True)
class Raised:
    """What became of an alert: the row it is in, and whether that row is new."""

    alert: Alert
    alert_id: int
    is_new: bool


def raise_alerts(
    session: WriteSession,
    alerts: Collection[Alert],
    *,
    subject: str,
    at: datetime,
    job_id: int | None = None,
    channels: Collection[str] = (),
) -> tuple[Raised, ...]:
    """Write alerts in the transaction of what raised them.

    A subject that was counted under a fingerprint before, even in an alert that is closed by now, is not counted again:
    a second inspection of the same capture, with the same bundle or another, repeats no alert.

    Args:
        session: the transaction.
        alerts: what the rules raised.
        subject: hash of what is in trouble: capture id, or hash of a file.
        at: the database's time.
        job_id: the job in trouble, where there is no inspection.
        channels: who is told of a new alert, one message each.

    Returns:
        Those that counted.
    """
    # Always in the same order, so that two transactions cannot wait for each other.
    ordered = sorted(alerts, key=lambda alert: alert.fingerprint.key)
    raised = (_raise(session, _Trouble(alert, subject, at, job_id), channels) for alert in ordered)
    return tuple(one for one in raised if one is not None)


@dataclass(frozen=True, slots=True)
class _Trouble:
    alert: Alert
    subject: str
    at: datetime
    job_id: int | None

    @property
    def event_id(self) -> str:
        """Names the event, not the row: raised again after a lost commit, it is the same event."""
        return hashlib.sha256(f"opened:{self.alert.fingerprint.key}:{self.subject}".encode()).hexdigest()


def _raise(session: WriteSession, trouble: _Trouble, channels: Collection[str]) -> Raised | None:
    alert, key = trouble.alert, trouble.alert.fingerprint.key
    if session.get(AlertOccurrenceRow, (key, trouble.subject)) is not None:
        return None
    alert_id, count = _find_or_open(session, trouble)
    is_counted = insert_new(
        session,
        AlertOccurrenceRow,
        AlertOccurrenceRow.fingerprint,
        AlertOccurrenceRow.subject,
        fingerprint=key,
        subject=trouble.subject,
        alert_id=alert_id,
        inspection_id=alert.inspection_id,
        seen_at=trouble.at,
    )
    if not is_counted:
        # Another transaction counted the subject since we looked, and its alert was closed at once.
        session.execute(delete(AlertRow).where(AlertRow.id == alert_id, AlertRow.count == 0))
        return None
    session.execute(update(AlertRow).where(AlertRow.id == alert_id).values(count=AlertRow.count + 1))
    if count == 0:
        add_event(session, alert_id, at=trouble.at, actor=SERVICE, before=None, after=AlertState.OPEN, note=alert.title)
        session.add_all(_message(alert_id, trouble, channel) for channel in sorted(channels))
        session.flush()
    return Raised(alert, alert_id, is_new=count == 0)


def _find_or_open(session: WriteSession, trouble: _Trouble) -> tuple[int, int]:
    """Id and count of the open alert with this fingerprint, made if there is none, and locked either way."""
    alert, fingerprint = trouble.alert, trouble.alert.fingerprint
    statement = insert_into(session, AlertRow).values(
        fingerprint=fingerprint.key,
        rule=fingerprint.rule,
        pattern=fingerprint.pattern,
        product=fingerprint.product,
        step=fingerprint.step,
        tool=fingerprint.tool,
        severity=alert.severity,
        state=AlertState.OPEN,
        title=alert.title,
        action=alert.action,
        inspection_id=alert.inspection_id,
        job_id=trouble.job_id,
        count=0,
        first_seen=trouble.at,
        last_seen=trouble.at,
        version=1,
    )
    upsert = statement.on_conflict_do_update(
        index_elements=[AlertRow.fingerprint], index_where=IS_OPEN, set_={"last_seen": trouble.at}
    )
    alert_id, count = session.execute(upsert.returning(AlertRow.id, AlertRow.count)).one()
    return alert_id, count


def _message(alert_id: int, trouble: _Trouble, channel: str) -> OutboxRow:
    alert, fingerprint = trouble.alert, trouble.alert.fingerprint
    body = {
        "event": "alert.opened",
        "alert_id": alert_id,
        "inspection_id": alert.inspection_id,
        "job_id": trouble.job_id,
        "rule": fingerprint.rule,
        "pattern": fingerprint.pattern,
        "product": fingerprint.product,
        "step": fingerprint.step,
        "tool": fingerprint.tool,
        "severity": alert.severity.value,
        "title": alert.title,
        "action": alert.action,
        "raised_at": trouble.at.isoformat(),
    }
    return OutboxRow(
        event_id=trouble.event_id,
        channel=channel,
        alert_id=alert_id,
        body=body,
        created_at=trouble.at,
        not_before=trouble.at,
    )
