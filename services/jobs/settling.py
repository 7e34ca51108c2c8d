"""How jobs end: done, quarantined, dead, or put back for another try. What ends badly raises an alert of its own."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from models.domain.alert import Alert
from models.domain.errors import Complaint, InputError, WaferwatchError
from services.alerting.intake_rules import dead_alert, quarantine_alert
from services.alerting.occurrences import raise_alerts
from services.jobs.lease import Lease, LeasePolicy, settle, silent
from services.records.session import WriteSession, now
from services.records.tables import JobRow, JobState


def complete(session: WriteSession, lease: Lease) -> None:
    """The job is done; call it in the transaction that records its last inspection.

    Raises:
        LostLease: it is somebody else's job now: the whole transaction is void.
    """
    settle(session, lease, state=JobState.DONE, finished_at=now(session), **_error_values(None, None))


def fail(
    session: WriteSession, lease: Lease, error: Exception, policy: LeasePolicy, channels: Collection[str] = ()
) -> JobState:
    """The try failed. Wrong input is quarantined at once; anything else is tried again, and in the end dead.

    Args:
        session: the transaction.
        lease: of the try.
        error: why.
        policy: how often and how soon again.
        channels: who is told.

    Returns:
        The state the job is in now.

    Raises:
        LostLease: it is somebody else's job now.
    """
    moment = now(session)
    code, complaint = _described(error)
    if isinstance(error, InputError):
        state = JobState.QUARANTINED
        alert = quarantine_alert(code, complaint, lease.file_name, moment)
    elif lease.attempts >= policy.max_attempts:
        state = JobState.DEAD
        alert = dead_alert(code, complaint, lease.file_name, moment)
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
    raise_alerts(session, [alert], subject=lease.sha256, at=moment, job_id=lease.job_id, channels=channels)
    return state


def postpone(
    session: WriteSession, lease: Lease, error: Exception, policy: LeasePolicy, channels: Collection[str] = ()
) -> JobState:
    """Something the job needs is down (the classifier, its bundle): try again soon, and do not hold it against the job.

    An hour without a cluster must not kill an hour's wafers. A job that has seen `max_claims` outages is dead all the
    same: it may be what brings the others down.

    Raises:
        LostLease: it is somebody else's job now.
    """
    if lease.fence >= policy.max_claims:
        return fail(session, replace(lease, attempts=policy.max_attempts), error, policy, channels)
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


def quarantine(session: WriteSession, job_id: int, error: InputError, channels: Collection[str] = ()) -> None:
    """Set a queued job aside before anybody works on it: its input is known to be wrong."""
    row = session.get_one(JobRow, job_id, options=[joinedload(JobRow.source)], with_for_update={"of": JobRow})
    if row.state is JobState.QUEUED:
        moment = now(session)
        alert = quarantine_alert(error.code, error.complaint, row.source.name, moment)
        _end(session, row, _Ending(JobState.QUARANTINED, error.code, error.complaint, alert, moment), channels)


def bury_silent(session: WriteSession, policy: LeasePolicy, channels: Collection[str] = ()) -> int:
    """Give up jobs whose workers fell silent at every try (a file that kills its reader); returns how many.

    Call it before `claim`, which leaves them alone.
    """
    moment = now(session)
    hopeless = (
        select(JobRow)
        .options(joinedload(JobRow.source))
        .where(silent(moment, policy), JobRow.attempts >= policy.max_attempts)
        .order_by(JobRow.id)
        .with_for_update(skip_locked=True, of=JobRow)
    )
    rows = session.scalars(hopeless).all()
    for row in rows:
        complaint = Complaint(
            "worker fell silent at every try",
            where=row.source.name,
            got=f"{row.attempts} tries, the last by {row.owner}",
            remedy="the file may kill its reader: look at the workers' logs, then retry or cancel the job",
        )
        alert = dead_alert("worker-silent", complaint, row.source.name, moment)
        _end(session, row, _Ending(JobState.DEAD, "worker-silent", complaint, alert, moment), channels)
    return len(rows)


@dataclass(frozen=True, slots=True)
class _Ending:
    state: JobState
    code: str
    complaint: Complaint
    alert: Alert
    at: datetime


def _end(session: WriteSession, row: JobRow, ending: _Ending, channels: Collection[str]) -> None:
    """End a job that nobody holds; whoever thinks to hold it finds the fence raised."""
    row.state = ending.state
    row.fence += 1
    row.lease_until = None
    row.owner = None
    row.finished_at = ending.at
    for column, value in _error_values(ending.code, ending.complaint).items():
        setattr(row, column, value)
    session.flush()
    raise_alerts(session, [ending.alert], subject=row.sha256, at=ending.at, job_id=row.id, channels=channels)


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
