"""How jobs end: done, quarantined, dead, or put back for another try. What ends badly raises an alert of its own."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import joinedload

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
        _bury(session, row, moment, channels)
    return len(rows)


def _bury(session: WriteSession, row: JobRow, moment: datetime, channels: Collection[str]) -> None:
    complaint = Complaint(
        "worker fell silent at every try",
        where=row.source.name,
        got=f"{row.attempts} tries, the last by {row.owner}",
        remedy="the file may kill its reader: look at the workers' logs, then retry or cancel the job",
    )
    row.state = JobState.DEAD
    row.fence += 1
    row.lease_until = None
    row.owner = None
    row.finished_at = moment
    for column, value in _error_values("worker-silent", complaint).items():
        setattr(row, column, value)
    session.flush()
    alert = dead_alert("worker-silent", complaint, row.source.name, moment)
    raise_alerts(session, [alert], subject=row.sha256, at=moment, job_id=row.id, channels=channels)


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
