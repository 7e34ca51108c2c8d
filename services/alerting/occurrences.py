"""Grouping: one trouble is one alert with a count, one subject counts once, and one window tells each channel once."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, select, update

from models.domain.alert import Alert, AlertState, SilenceKind
from services.alerting.history import add_event
from services.alerting.messages import Event, tell
from services.alerting.silencing import hold_back
from services.records.alert_tables import IS_OPEN, AlertOccurrenceRow, AlertRow
from services.records.session import WriteSession
from services.records.silences import Silence, active_silences
from services.records.upsert import insert_into, insert_new

SERVICE = "waferwatch"
"""Who acts where no person does."""


class Outcome(StrEnum):
    """What became of a finding."""

    OPENED = "opened"
    REPEATED = "repeated"
    COOLING = "cooling down"
    """Its alert was closed a moment ago: counted there."""
    MAINTENANCE = "maintenance"
    """Expected just now: counted with the maintenance window alone."""


@dataclass(frozen=True, slots=True)
class Raised:
    """What became of a finding, and the alert it is counted in (None in maintenance)."""

    alert: Alert
    alert_id: int | None
    outcome: Outcome

    @property
    def is_new(self) -> bool:
        """Whether it opened its alert."""
        return self.outcome is Outcome.OPENED


def raise_alerts(
    session: WriteSession,
    alerts: Collection[Alert],
    *,
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
        at: the database's time.
        job_id: the job in trouble, where there is no inspection.
        channels: who hears of alerts whose rule names no channels.

    Returns:
        Those that counted.
    """
    if not alerts:
        return ()
    silences = active_silences(session, at)
    # Always in the same order, so that two transactions cannot wait for each other.
    ordered = sorted(alerts, key=lambda alert: (alert.fingerprint.key, alert.subject))
    raised = (_raise(session, _Finding(alert, at, job_id, tuple(channels), silences)) for alert in ordered)
    return tuple(one for one in raised if one is not None)


@dataclass(frozen=True, slots=True)
class _Finding:
    alert: Alert
    at: datetime
    job_id: int | None
    channels: Sequence[str]
    silences: Sequence[Silence]

    @property
    def key(self) -> str:
        return self.alert.fingerprint.key

    def silence(self, kind: SilenceKind) -> Silence | None:
        """The first silence of this kind that concerns it."""
        fitting = (one for one in self.silences if one.kind is kind and one.fits(self.alert.fingerprint))
        return next(fitting, None)


def _raise(session: WriteSession, finding: _Finding) -> Raised | None:
    if session.get(AlertOccurrenceRow, (finding.key, finding.alert.subject)) is not None:
        return None
    maintenance = finding.silence(SilenceKind.MAINTENANCE)
    if maintenance is not None:
        hold_back(session, maintenance)
        return Raised(finding.alert, None, Outcome.MAINTENANCE)
    cooling = _cooling_down(session, finding)
    if cooling is not None:
        return Raised(finding.alert, cooling, Outcome.COOLING) if _count(session, finding, cooling) else None
    row = _find_or_open(session, finding)
    if not _count(session, finding, row.id):
        # Another transaction counted the subject since we looked, and its alert was closed at once.
        session.execute(delete(AlertRow).where(AlertRow.id == row.id, AlertRow.count == 0))
        return None
    is_new = row.count == 0
    if is_new:
        note = finding.alert.title
        add_event(session, row.id, at=finding.at, actor=SERVICE, before=None, after=AlertState.OPEN, note=note)
    _tell_once_per_window(session, finding, row)
    return Raised(finding.alert, row.id, Outcome.OPENED if is_new else Outcome.REPEATED)


def _cooling_down(session: WriteSession, finding: _Finding) -> int | None:
    """The alert that was closed so short a time ago that findings still belong to it; None while one is open."""
    pause = finding.alert.quiet.cool_down
    if not pause:
        return None
    newest = (
        select(AlertRow.id, AlertRow.state, AlertRow.handled_at)
        .where(AlertRow.fingerprint == finding.key)
        .order_by(AlertRow.id.desc())
        .limit(1)
    )
    found = session.execute(newest).first()
    if found is None or not found.state.is_closed or found.handled_at is None:
        return None
    return found.id if finding.at < found.handled_at + pause else None


def _count(session: WriteSession, finding: _Finding, alert_id: int) -> bool:
    """Count the subject in an alert; False if it is counted somewhere already."""
    is_new = insert_new(
        session,
        AlertOccurrenceRow,
        AlertOccurrenceRow.fingerprint,
        AlertOccurrenceRow.subject,
        fingerprint=finding.key,
        subject=finding.alert.subject,
        alert_id=alert_id,
        inspection_id=finding.alert.inspection_id,
        seen_at=finding.at,
    )
    if is_new:
        session.execute(
            update(AlertRow)
            .where(AlertRow.id == alert_id)
            .values(count=AlertRow.count + 1, last_seen=finding.at)
            .execution_options(synchronize_session=False)
        )
    return is_new


def _find_or_open(session: WriteSession, finding: _Finding) -> AlertRow:
    """The open alert with this fingerprint, made if there is none (count 0), and locked either way."""
    alert, fingerprint, quiet = finding.alert, finding.alert.fingerprint, finding.alert.quiet
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
        job_id=finding.job_id,
        count=0,
        first_seen=finding.at,
        last_seen=finding.at,
        version=1,
        tell=list(finding.channels if quiet.tell is None else quiet.tell),
        escalate_at=None if quiet.escalate_after is None else finding.at + quiet.escalate_after,
        escalate_to=list(quiet.escalate_to),
    )
    upsert = statement.on_conflict_do_update(
        index_elements=[AlertRow.fingerprint], index_where=IS_OPEN, set_={"last_seen": finding.at}
    )
    return session.scalars(upsert.returning(AlertRow), execution_options={"populate_existing": True}).one()


def _tell_once_per_window(session: WriteSession, finding: _Finding, row: AlertRow) -> None:
    """The first finding is told at once, later ones once per window and only while nobody has acknowledged."""
    if row.state is not AlertState.OPEN or finding.silence(SilenceKind.SILENCE) is not None:
        return
    if row.told_at is not None and finding.at < row.told_at + finding.alert.quiet.window:
        return
    event = Event.OPENED if row.told_at is None else Event.REPEATED
    session.refresh(row)  # with the count as it is now
    row.told_at = finding.at
    tell(session, row, event, cause=finding.alert.subject, at=finding.at, names=row.tell or ())
