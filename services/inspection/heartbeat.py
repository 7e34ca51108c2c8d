"""The heartbeat of a worker: while a capture is judged, a thread lengthens the lease and shows how far the work is."""

import logging
import threading
from types import TracebackType

from models.domain.errors import RetryableError
from services.jobs import Lease, LeasePolicy, LostLease, extend
from services.records.session import Database

log = logging.getLogger(__name__)


class Heartbeat:
    """Keeps a lease alive from `with` on to its end.

    Attributes:
        windows_done: set by the worker, written with each beat.
    """

    def __init__(self, database: Database, lease: Lease, policy: LeasePolicy) -> None:
        """Beat three times per lease, so that two may fail."""
        self.windows_done = 0
        self._database = database
        self._lease = lease
        self._policy = policy
        self._is_lost = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{lease.job_id}", daemon=True)

    def check(self) -> None:
        """Stop early when the work is in vain.

        Raises:
            LostLease: a beat found the job in other hands.
        """
        if self._is_lost:
            raise LostLease("lost lease", where=f"job {self._lease.job_id}", expected=f"fence {self._lease.fence}")

    def __enter__(self) -> "Heartbeat":
        """Begin."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, and wait for a beat under way: it must not come after the job is settled."""
        self._stop.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._stop.wait(self._policy.lease_s / 3):
            try:
                with self._database.write() as session:
                    extend(session, self._lease, self._policy, self.windows_done)
            except LostLease:
                self._is_lost = True
                return
            except RetryableError as error:
                # The lease may run out meanwhile; then the fence decides, not we.
                log.warning("heartbeat of job %s: %s", self._lease.job_id, error)
