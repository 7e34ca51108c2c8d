"""Alerts that nobody has answered: others hear of them in time, and silences that ended hide nothing."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select

from models.domain.alert import AlertState
from services.alerting.history import add_event
from services.alerting.messages import Event, tell
from services.alerting.occurrences import SERVICE
from services.records.alert_tables import IS_OPEN, AlertRow
from services.records.session import WriteSession, now
from services.records.silences import active_silences, is_silenced

_AT_ONCE = 100
"""Alerts of one transaction: the others wait for the next look."""


def escalate_overdue(session: WriteSession) -> int:
    """Tell the second channels of alerts that were not acknowledged in time, once each; returns how many."""
    moment = now(session)
    rows = _unanswered(session, AlertRow.escalate_at <= moment)
    for row in rows:
        names = row.escalate_to or []
        tell(session, row, Event.ESCALATED, cause=str(row.id), at=moment, names=names)
        row.escalate_at = None
        note = f"nobody acknowledged in time: told {', '.join(names)}"
        add_event(session, row.id, at=moment, actor=SERVICE, before=row.state, after=row.state, note=note)
    return len(rows)


def tell_unsilenced(session: WriteSession) -> int:
    """Tell of alerts that were opened under a silence and are still open now that it has ended; returns how many."""
    moment = now(session)
    rows = _unanswered(session, AlertRow.told_at.is_(None))
    for row in rows:
        row.told_at = moment
        tell(session, row, Event.OPENED, cause=f"unsilenced {row.id}", at=moment, names=row.tell or ())
    return len(rows)


def _unanswered(session: WriteSession, due: ColumnElement[bool]) -> Sequence[AlertRow]:
    hidden = is_silenced(active_silences(session, now(session)))
    wanted = select(AlertRow).where(IS_OPEN, AlertRow.state == AlertState.OPEN, due, ~hidden)
    return session.scalars(wanted.order_by(AlertRow.id).limit(_AT_ONCE).with_for_update(skip_locked=True)).all()
