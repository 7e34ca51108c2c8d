"""What people do with alerts: acknowledge, assign, comment, resolve, call false.

Whoever changes one names the version they saw; a comment changes nothing and may always be added.
"""

from sqlalchemy import select

from models.domain.alert import AlertState, Disposition
from models.domain.errors import InputError, WaferwatchError
from services.alerting.history import add_event
from services.alerting.messages import Event, tell
from services.records.alert_tables import AlertRow
from services.records.reading import alert_summary
from services.records.session import WriteSession, now
from services.records.tables import OutboxRow
from services.records.views import AlertSummary

_ALLOWED = {
    AlertState.OPEN: {AlertState.ACKNOWLEDGED, AlertState.RESOLVED, AlertState.FALSE_ALARM},
    AlertState.ACKNOWLEDGED: {AlertState.RESOLVED, AlertState.FALSE_ALARM, AlertState.OPEN},
    AlertState.RESOLVED: set[AlertState](),
    AlertState.FALSE_ALARM: set[AlertState](),
}
"""Closed alerts stay closed: the trouble coming back is a new alert, with its own history."""


class StaleAlert(WaferwatchError):  # noqa: N818 - what happened, not what is wrong
    """Somebody else changed the alert meanwhile: look at it again, then decide."""

    code = "stale-alert"


def change_alert(
    session: WriteSession,
    alert_id: int,
    *,
    version: int,
    to: AlertState,
    actor: str,
    note: str = "",
    disposition: Disposition | None = None,
) -> AlertSummary:
    """Move an alert to another state and write down who did it.

    Args:
        session: the transaction.
        alert_id: which alert.
        version: the version the person saw (optimistic locking).
        to: the new state.
        actor: who.
        note: why; becomes part of the history.
        disposition: reason code of a closing state.

    Raises:
        InputError: there is no such alert (`no-such-alert`), that state does not follow (`alert-state`), or the reason
            code does not fit it (`alert-disposition`).
        StaleAlert: it was changed since.
    """
    row = _seen(session, alert_id, version)
    if to not in _ALLOWED[row.state]:
        raise InputError(
            "alert cannot become that",
            where=f"alert {alert_id}",
            expected=" or ".join(sorted(state.value for state in _ALLOWED[row.state])) or "nothing: it is closed",
            got=f"{row.state.value} → {to.value}",
            code="alert-state",
        )
    _check_disposition(to, disposition)
    moment = now(session)
    said = ": ".join(part for part in (disposition and disposition.value, note) if part)
    add_event(session, alert_id, at=moment, actor=actor, before=row.state, after=to, note=said)
    row.state = to
    row.disposition = disposition
    row.version += 1
    row.handled_by = actor
    row.handled_at = moment
    session.flush()
    if to.is_closed:
        heard = set(session.scalars(select(OutboxRow.channel).where(OutboxRow.alert_id == alert_id)))
        tell(session, row, Event.CLOSED, cause=f"{alert_id}", at=moment, names=heard)
    return alert_summary(row)


def assign_alert(session: WriteSession, alert_id: int, *, version: int, to: str, actor: str) -> AlertSummary:
    """Say who works on an alert; an empty name takes the assignment back.

    Raises:
        InputError: there is no such alert (`no-such-alert`), or it is closed (`alert-state`).
        StaleAlert: it was changed since.
    """
    row = _seen(session, alert_id, version)
    if not _ALLOWED[row.state]:
        raise InputError(
            "closed alerts are not assigned", where=f"alert {alert_id}", got=row.state.value, code="alert-state"
        )
    note = f"assigned to {to}" if to else "assigned to nobody"
    add_event(session, alert_id, at=now(session), actor=actor, before=row.state, after=row.state, note=note)
    row.assigned_to = to or None
    row.version += 1
    row.handled_at = now(session)
    session.flush()
    return alert_summary(row)


def comment_alert(session: WriteSession, alert_id: int, *, text: str, actor: str) -> AlertSummary:
    """Add a note to an alert's history, also of a closed one.

    Raises:
        InputError: there is no such alert (`no-such-alert`), or nothing was said (`empty-comment`).
    """
    if not text.strip():
        raise InputError("comment is empty", where=f"alert {alert_id}", code="empty-comment")
    row = _locked(session, alert_id)
    add_event(session, alert_id, at=now(session), actor=actor, before=row.state, after=row.state, note=text.strip())
    return alert_summary(row)


def _locked(session: WriteSession, alert_id: int) -> AlertRow:
    row = session.get(AlertRow, alert_id, with_for_update=True)
    if row is None:
        raise InputError("no such alert", where=f"alert {alert_id}", code="no-such-alert")
    return row


def _seen(session: WriteSession, alert_id: int, version: int) -> AlertRow:
    row = _locked(session, alert_id)
    if row.version != version:
        raise StaleAlert(
            "alert was changed meanwhile",
            where=f"alert {alert_id}",
            expected=f"version {version}",
            got=f"version {row.version}, {row.state.value}" + (f" by {row.handled_by}" if row.handled_by else ""),
            remedy="look at it again, then decide",
        )
    return row


def _check_disposition(to: AlertState, disposition: Disposition | None) -> None:
    if disposition is None:
        return
    fitting = AlertState.FALSE_ALARM if disposition.is_false_alarm else AlertState.RESOLVED
    if to is not fitting:
        raise InputError(
            "reason code does not fit",
            where=disposition.value,
            expected=f"{fitting.value}",
            got=to.value,
            code="alert-disposition",
        )
