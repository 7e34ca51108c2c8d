"""What people do with alerts: acknowledge, resolve, call false. Whoever changes one names the version they saw."""

from models.domain.alert import AlertState
from models.domain.errors import InputError, WaferwatchError
from services.alerting.history import add_event
from services.records.reading import alert_summary
from services.records.session import WriteSession, now
from services.records.tables import AlertRow
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
    session: WriteSession, alert_id: int, *, version: int, to: AlertState, actor: str, note: str = ""
) -> AlertSummary:
    """Move an alert to another state and write down who did it.

    Args:
        session: the transaction.
        alert_id: which alert.
        version: the version the person saw (optimistic locking).
        to: the new state.
        actor: who.
        note: why; becomes part of the history.

    Raises:
        InputError: there is no such alert (`no-such-alert`), or that state does not follow (`alert-state`).
        StaleAlert: it was changed since.
    """
    row = session.get(AlertRow, alert_id, with_for_update=True)
    if row is None:
        raise InputError("no such alert", where=f"alert {alert_id}", code="no-such-alert")
    if row.version != version:
        raise StaleAlert(
            "alert was changed meanwhile",
            where=f"alert {alert_id}",
            expected=f"version {version}",
            got=f"version {row.version}, {row.state.value}" + (f" by {row.handled_by}" if row.handled_by else ""),
            remedy="look at it again, then decide",
        )
    if to not in _ALLOWED[row.state]:
        raise InputError(
            "alert cannot become that",
            where=f"alert {alert_id}",
            expected=" or ".join(sorted(state.value for state in _ALLOWED[row.state])) or "nothing: it is closed",
            got=f"{row.state.value} → {to.value}",
            code="alert-state",
        )
    moment = now(session)
    add_event(session, alert_id, at=moment, actor=actor, before=row.state, after=to, note=note)
    row.state = to
    row.version += 1
    row.handled_by = actor
    row.handled_at = moment
    session.flush()
    return alert_summary(row)
