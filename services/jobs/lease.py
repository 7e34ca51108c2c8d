"""Leases: who works on a job, until when, and how a worker that was given up for dead is kept from writing.

A claim raises the job's fence. Every later write names its fence in the same transaction as what it writes; a worker
that slept past its lease finds a higher one and gets `LostLease` instead of a second result. (Leases: Gray and
Cheriton, SOSP 1989; fencing tokens: Kleppmann, "How to do distributed locking", 2016.)

All times are the database's. Clocks are set back at times: a lease that ends later than any lease could is taken for
expired, and a retry further away than any backoff is due, so that no job waits for yesterday to come again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Row, Select, bindparam, func, select, update
from sqlalchemy.orm import Session

from models.domain.errors import WaferwatchError
from services.records.session import WriteSession, now
from services.records.tables import JobRow, JobState, SourceFileRow, table_of

_SLACK = timedelta(seconds=1)
_JOB = table_of(JobRow).c

# Statements are built once: building those of a claim anew took three times as long as running them.
SILENT = (_JOB.state == JobState.RUNNING) & (
    (_JOB.lease_until < bindparam("moment")) | (_JOB.lease_until > bindparam("latest_lease"))
)
"""Jobs whose worker did not extend its lease, or whose lease ends later than a clock running forward allows."""
_DUE = (_JOB.state == JobState.QUEUED) & (
    (_JOB.not_before <= bindparam("moment")) | (_JOB.not_before > bindparam("latest_retry"))
)
_NEXT = (
    # SKIP LOCKED is nothing to SQLite, whose writers wait for each other anyway.
    select(_JOB.id, _JOB.fence, _JOB.attempts, _JOB.sha256, SourceFileRow.name, _JOB.route, _JOB.created_at)
    .join(SourceFileRow, SourceFileRow.sha256 == _JOB.sha256)
    .order_by(_JOB.priority, _JOB.id)
    .limit(1)
    .with_for_update(skip_locked=True, of=table_of(JobRow))
)
_NEXT_SILENT = _NEXT.where(SILENT, _JOB.attempts < bindparam("max_attempts"))  # the others are for `bury_silent`
_NEXT_DUE = _NEXT.where(_DUE)
_IS_DUE = select(_JOB.id).where(_DUE).limit(1)
_TAKE = (
    update(table_of(JobRow))
    .where(_JOB.id == bindparam("job"))
    .values(state=JobState.RUNNING, fence=_JOB.fence + 1, attempts=_JOB.attempts + 1, windows_done=0)
)
_HELD = update(table_of(JobRow)).where(
    _JOB.id == bindparam("job"), _JOB.fence == bindparam("held"), _JOB.state == JobState.RUNNING
)


class LostLease(WaferwatchError):  # noqa: N818 - what happened, not what is wrong
    """The job belongs to another worker now, or was cancelled: drop what was found, write nothing."""

    code = "lost-lease"


@dataclass(frozen=True, slots=True)
class LeasePolicy:
    """How patient the queue is.

    Attributes:
        lease_s: how long a worker may be silent, seconds.
        max_attempts: claims of a job before it is dead.
        backoff_s: pause after the first failed try, seconds; doubles with each further one.
        backoff_limit_s: longest pause, seconds.
        outage_limit_s: longest pause while something the job needs is down, seconds.
        max_claims: claims of a job in all, those that ended in an outage included.
    """

    lease_s: float = 30.0
    max_attempts: int = 5
    backoff_s: float = 2.0
    backoff_limit_s: float = 300.0
    outage_limit_s: float = 15.0
    max_claims: int = 1000

    def backoff(self, attempts: int) -> timedelta:
        """Pause after the `attempts`-th try."""
        return timedelta(seconds=min(self.backoff_s * 2.0 ** min(attempts - 1, 30), self.backoff_limit_s))


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to settle a job, until `until` on the database's clock.

    Attributes:
        job_id: the job.
        fence: which claim this is.
        attempts: how many tries there were, this one included.
        sha256: the source file.
        file_name: its name when it came.
        route: what shall judge.
        queued_at: when the job was asked for.
        until: end of the lease; `extend` gives a later one.
    """

    job_id: int
    fence: int
    attempts: int
    sha256: str
    file_name: str
    route: str
    queued_at: datetime
    until: datetime


def claim(session: WriteSession, owner: str, policy: LeasePolicy, job_id: int | None = None) -> Lease | None:
    """Lease the next job: one whose worker fell silent, else the most urgent and oldest queued one.

    Args:
        session: the transaction; the lease counts from its commit on.
        owner: who works, for people who read the table.
        policy: length of the lease.
        job_id: this job and no other; None = any.

    Returns:
        The lease, or None if there is nothing to do.
    """
    moment = now(session)
    row = _next(session, _NEXT_SILENT, moment, policy, job_id) or _next(session, _NEXT_DUE, moment, policy, job_id)
    if row is None:
        return None
    until = moment + timedelta(seconds=policy.lease_s)
    session.execute(_TAKE, {"job": row.id, "owner": owner, "lease_until": until})
    return Lease(row.id, row.fence + 1, row.attempts + 1, row.sha256, row.name, row.route, row.created_at, until)


def is_due(session: Session, policy: LeasePolicy) -> bool:
    """Whether a job waits for a worker now."""
    return session.scalar(_IS_DUE, times(now(session), policy)) is not None


def queue_depth(session: Session) -> tuple[int, int]:
    """How many jobs wait, and how many are worked on."""
    counted = select(JobRow.state, func.count()).where(JobRow.state.in_((JobState.QUEUED, JobState.RUNNING)))
    depth = dict(session.execute(counted.group_by(JobRow.state)).tuples().all())
    return depth.get(JobState.QUEUED, 0), depth.get(JobState.RUNNING, 0)


def hold(session: WriteSession, lease: Lease) -> None:
    """Make sure the lease still stands, and that nobody takes it before this transaction ends.

    Raises:
        LostLease: it does not.
    """
    _update(session, lease, state=JobState.RUNNING)


def extend(session: WriteSession, lease: Lease, policy: LeasePolicy, windows_done: int) -> datetime:
    """Heartbeat: lengthen the lease and show how far the work is; returns the new end.

    Raises:
        LostLease: it is somebody else's job now.
    """
    until = now(session) + timedelta(seconds=policy.lease_s)
    _update(session, lease, lease_until=until, windows_done=windows_done)
    return until


def release(session: WriteSession, lease: Lease) -> None:
    """Give the job back unharmed, because this worker stops; the try does not count.

    Raises:
        LostLease: it was somebody else's already.
    """
    _update(
        session, lease, state=JobState.QUEUED, lease_until=None, owner=None, attempts=lease.attempts - 1, windows_done=0
    )


def settle(session: WriteSession, lease: Lease, **values: Any) -> None:
    """Change the job and end the lease.

    Raises:
        LostLease: it is somebody else's job now.
    """
    _update(session, lease, lease_until=None, owner=None, **values)


def _update(session: WriteSession, lease: Lease, **values: Any) -> None:
    result = session.execute(_HELD, {**values, "job": lease.job_id, "held": lease.fence})
    if cast("CursorResult[Any]", result).rowcount != 1:
        raise LostLease("lost lease", where=f"job {lease.job_id}", expected=f"fence {lease.fence}, running")


def times(moment: datetime, policy: LeasePolicy) -> dict[str, datetime]:
    """What `SILENT` and other conditions on times compare with, if it is `moment`."""
    return {
        "moment": moment,
        "latest_lease": moment + timedelta(seconds=policy.lease_s) + _SLACK,
        "latest_retry": moment + timedelta(seconds=policy.backoff_limit_s) + _SLACK,
    }


def _next(
    session: WriteSession, wanted: Select[Any], moment: datetime, policy: LeasePolicy, job_id: int | None
) -> Row[Any] | None:
    if job_id is not None:
        wanted = wanted.where(_JOB.id == job_id)
    return session.execute(wanted, times(moment, policy) | {"max_attempts": policy.max_attempts}).first()
