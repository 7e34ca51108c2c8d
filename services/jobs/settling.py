"""How jobs end: done, quarantined, dead, or put back for another try. What ends badly raises an alert of its own."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from models.domain.errors import Complaint, InputError, WaferwatchError
from services.alerting.intake_rules import file_alert
from services.alerting.occurrences import raise_alerts
from services.alerting.policy import AlertPolicy
from services.alerting.rule_kinds import FileEvent
from services.jobs.lease import SILENT, Lease, LeasePolicy, settle, times
from services.records.session import WriteSession, now
from services.records.tables import JobRow, JobState


def complete(session: WriteSession, lease: Lease) -> None:
    """The job is done; call it in the transaction that records its last inspection.

    Raises:
        LostLease: it is somebody else's job now: the whole transaction is void.
    """
    settle(session, lease, state=JobState.DONE, finished_at=now(session), **_error_values(None, None))


def fail(
    session: WriteSession, lease: Lease, error: Exception, policy: LeasePolicy, alerting: AlertPolicy | None = None
) -> JobState:
    """The try failed. Wrong input is quarantined at once; anything else is tried again, and in the end dead.

    Args:
        session: the transaction.
        lease: of the try.
        error: why.
        policy: how often and how soon again.
        alerting: how an alert is raised of it; None = the shipped rules, and nobody is told.

    Returns:
        The state the job is in now.

    Raises:
        LostLease: it is somebody else's job now.
    """
    moment = now(session)
    code, complaint = _described(error)
    if isinstance(error, InputError):
        state, event = JobState.QUARANTINED, FileEvent.QUARANTINE
    elif lease.attempts >= policy.max_attempts:
        state, event = JobState.DEAD, FileEvent.DEAD
    else:
        settle(
            session,
            lease,
            state=JobState.QUEUED,
            not_before=moment + policy.backoff(lease.attempts),
            **_error_values(code, complaint),
        )
        return JobState.QUEUED
    settle(session, lease, state=state, finished_at=moment, **_error_values(code, complaint))
    alerting = alerting or AlertPolicy()
    alert = file_alert(alerting.rules, event, code, complaint, file_name=lease.file_name, subject=lease.sha256)
    raise_alerts(session, [alert], at=moment, job_id=lease.job_id, channels=alerting.channels)
    return state


def postpone(
    session: WriteSession, lease: Lease, error: Exception, policy: LeasePolicy, alerting: AlertPolicy | None = None
) -> JobState:
    """Something the job needs is down (the classifier, its bundle): try again soon, and do not hold it against the job.

    An hour without a cluster must not kill an hour's wafers. A job that has seen `max_claims` outages is dead all the
    same: it may be what brings the others down.

    Raises:
        LostLease: it is somebody else's job now.
    """
    if lease.fence >= policy.max_claims:
        return fail(session, replace(lease, attempts=policy.max_attempts), error, policy, alerting)
    code, complaint = _described(error)
    pause = min(policy.backoff(lease.fence), timedelta(seconds=policy.outage_limit_s))
    settle(
        session,
        lease,
        state=JobState.QUEUED,
        attempts=lease.attempts - 1,
        not_before=now(session) + pause,
        **_error_values(code, complaint),
    )
    return JobState.QUEUED


def quarantine(session: WriteSession, job_id: int, error: InputError, alerting: AlertPolicy | None = None) -> None:
    """Set a queued job aside before anybody works on it: its input is known to be wrong."""
    row = session.get_one(JobRow, job_id, options=[joinedload(JobRow.source)], with_for_update={"of": JobRow})
    if row.state is JobState.QUEUED:
        ending = _Ending(JobState.QUARANTINED, FileEvent.QUARANTINE, error.code, error.complaint, now(session))
        _end(session, row, ending, alerting or AlertPolicy())


def bury_silent(session: WriteSession, policy: LeasePolicy, alerting: AlertPolicy | None = None) -> int:
    """Give up jobs whose workers fell silent at every try (a file that kills its reader); returns how many.

    `claim` leaves them alone.
    """
    moment = now(session)
    hopeless = (
        select(JobRow)
        .options(joinedload(JobRow.source))
        .where(SILENT, JobRow.attempts >= policy.max_attempts)
        .order_by(JobRow.id)
        .with_for_update(skip_locked=True, of=JobRow)
    )
    rows = session.scalars(hopeless, times(moment, policy)).all()
    for row in rows:
        complaint = Complaint(
            "worker fell silent at every try",
            where=row.source.name,
            got=f"{row.attempts} tries, the last by {row.owner}",
            remedy="the file may kill its reader: look at the workers' logs, then retry or cancel the job",
        )
        ending = _Ending(JobState.DEAD, FileEvent.DEAD, "worker-silent", complaint, moment)
        _end(session, row, ending, alerting or AlertPolicy())
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Ending:
    state: JobState
    event: FileEvent
    code: str
    complaint: Complaint
    at: datetime


def _end(session: WriteSession, row: JobRow, ending: _Ending, alerting: AlertPolicy) -> None:
    """End a job that nobody holds; whoever thinks to hold it finds the fence raised."""
    row.state = ending.state
    row.fence += 1
    row.lease_until = None
    row.owner = None
    row.finished_at = ending.at
    for column, value in _error_values(ending.code, ending.complaint).items():
        setattr(row, column, value)
    session.flush()
    alert = file_alert(
        alerting.rules, ending.event, ending.code, ending.complaint, file_name=row.source.name, subject=row.sha256
    )
    raise_alerts(session, [alert], at=ending.at, job_id=row.id, channels=alerting.channels)


def _described(error: Exception) -> tuple[str, Complaint]:
    if isinstance(error, WaferwatchError):
        return error.code, error.complaint
    # Only the type goes where people without access to the logs look: foreign messages may hold anything.
    return "unexpected", Complaint(
        "unexpected error", got=type(error).__name__, remedy="see the workers' logs, then retry the job"
    )


def _error_values(code: str | None, complaint: Complaint | None) -> dict[str, str | None]:
    parts = ("what", "where", "expected", "got", "remedy")
    return {"error_code": code} | {
        f"error_{part}": (getattr(complaint, part) or None) if complaint else None for part in parts
    }
