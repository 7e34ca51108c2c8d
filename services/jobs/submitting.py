"""Jobs in, and what people do with them: hurry, cancel, try again."""

import hashlib

from sqlalchemy import select

from models.domain.errors import InputError
from services.priority import Priority
from services.records.session import WriteSession, now
from services.records.tables import JobRow, JobState
from services.records.upsert import insert_new

FAILED = (JobState.DEAD, JobState.QUARANTINED, JobState.CANCELLED)


def enqueue(
    session: WriteSession, *, sha256: str, route: str, sender: str = "", priority: Priority = Priority.NORMAL
) -> tuple[int, bool]:
    """Ask for an inspection of a source file along a route; the same wish twice is one job, at the more urgent place.

    Args:
        session: the transaction it belongs to.
        sha256: the source file; must be a row.
        route: the digest of the bundle that shall judge (a new bundle then makes a new job), or a name for it.
        sender: who asks, for quotas.
        priority: how urgent it is.

    Returns:
        The job's id, and whether it is new.
    """
    key = hashlib.sha256(f"{sha256}:{route}".encode()).hexdigest()
    moment = now(session)
    is_new = insert_new(
        session,
        JobRow,
        JobRow.dedupe_key,
        dedupe_key=key,
        sha256=sha256,
        route=route,
        state=JobState.QUEUED,
        sender=sender,
        priority=priority.rank,
        attempts=0,
        fence=0,
        windows_done=0,
        not_before=moment,
        created_at=moment,
    )
    row = session.scalars(select(JobRow).where(JobRow.dedupe_key == key)).one()
    if not is_new and row.state is JobState.QUEUED and priority.rank < row.priority:
        row.priority = priority.rank
        session.flush()
    return row.id, is_new


def hurry(session: WriteSession, job_id: int, priority: Priority) -> None:
    """Give a job that waits another place in the queue: a lot is held, or can wait after all.

    Raises:
        InputError: there is no such job, or it waits no more.
    """
    row = _locked(session, job_id)
    if row.state is not JobState.QUEUED:
        raise _refusal(row, "queued")
    row.priority = priority.rank


def cancel(session: WriteSession, job_id: int) -> None:
    """Give a job up: one that waits or runs is not wanted any more, or one that failed was seen to by other means.

    A worker that has it finds its lease lost and writes nothing more.

    Raises:
        InputError: there is no such job, or it is done or cancelled.
    """
    row = _locked(session, job_id)
    if row.state in (JobState.DONE, JobState.CANCELLED):
        raise _refusal(row, "queued, running, quarantined or dead")
    row.state = JobState.CANCELLED
    row.fence += 1
    row.lease_until = None
    row.owner = None
    row.finished_at = now(session)


def retry(session: WriteSession, job_id: int) -> None:
    """Put a job that failed or was cancelled back into the queue, with all its tries.

    Raises:
        InputError: there is no such job, or it did not fail.
    """
    row = _locked(session, job_id)
    if row.state not in FAILED:
        raise _refusal(row, "dead, quarantined or cancelled")
    row.state = JobState.QUEUED
    row.attempts = 0
    row.not_before = now(session)
    row.finished_at = None
    row.error_code = row.error_what = row.error_where = row.error_expected = row.error_got = row.error_remedy = None


def _locked(session: WriteSession, job_id: int) -> JobRow:
    row = session.get(JobRow, job_id, with_for_update=True)
    if row is None:
        raise InputError("no such job", where=f"job {job_id}", code="no-such-job")
    return row


def _refusal(row: JobRow, expected: str) -> InputError:
    return InputError(
        "job is in another state", where=f"job {row.id}", expected=expected, got=row.state.value, code="job-state"
    )
