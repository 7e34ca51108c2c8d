"""The worker: one job after the other, each recorded whole, none lost with the process that works on it."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from models.domain.errors import RetryableError
from services.inspection.heartbeat import Heartbeat
from services.inspection.outage import Classifiers
from services.inspection.shadowing import shadow_once
from services.inspection.trying import Try
from services.inspection.workplace import Workplace
from services.jobs import LostLease, bury_silent, claim
from services.records.tables import JobState

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Worked:
    """What became of a job.

    Attributes:
        job_id: which job.
        state: the state it is in now; None if the lease was lost.
        inspection_ids: inspections this try recorded.
    """

    job_id: int
    state: JobState | None
    inspection_ids: tuple[str, ...] = ()


def work(
    place: Workplace,
    classifiers: Classifiers,
    stop: threading.Event,
    idle_s: float = 0.5,
    on_job: Callable[[float], None] = lambda _: None,
) -> None:
    """Work until `stop` is set; a job under way is then given back, with what was done of it put aside.

    When no job waits, a challenger may have a look at what was inspected.

    Args:
        place: where to work.
        classifiers: the classifier of a route.
        stop: when set, this ends.
        idle_s: pause where there is nothing to do, seconds.
        on_job: told how many seconds each job took.
    """
    while not stop.is_set():
        began = time.monotonic()
        try:
            did = work_once(place, classifiers, stop) or shadow_once(place, classifiers, stop)
        except RetryableError as error:
            log.warning("cannot work: %s", error)
            did = None
        if isinstance(did, Worked):
            on_job(time.monotonic() - began)
        if did is None:
            stop.wait(idle_s)


def work_once(place: Workplace, classifiers: Classifiers, stop: threading.Event | None = None) -> Worked | None:
    """Lease a job, inspect its captures, record them; None if there is nothing to do now.

    Args:
        place: where to work.
        classifiers: the classifier of a route.
        stop: when set, the job is given back.

    Raises:
        RetryableError: the database is away; a job under way goes to another worker when its lease ends.
    """
    with place.database.write() as session:
        lease = claim(session, place.owner, place.policy)
        buried = 0 if lease is not None else bury_silent(session, place.policy, place.alerting)
    if place.observer is not None:
        for _ in range(buried):
            place.observer.quarantined("worker-silent")
    if lease is None:
        return None
    try:
        with Heartbeat(place.database, lease, place.policy) as heartbeat:
            attempt = Try(place, lease, heartbeat, stop or threading.Event())
            state = attempt.do(classifiers)
    except LostLease:
        log.warning("lost lease on job %s (fence %s): what was found is dropped", lease.job_id, lease.fence)
        if place.observer is not None:
            place.observer.tried("lost lease")
        return Worked(lease.job_id, None)
    return Worked(lease.job_id, state, tuple(attempt.recorded_ids))
