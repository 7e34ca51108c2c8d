"""Told after each batch: shows how far the work is, puts verdicts aside, stops work that is in vain or told to stop."""

import threading
import time
from collections.abc import Sequence

from models.domain.verdict import Verdict
from services.inspection.blocks import save_block
from services.inspection.heartbeat import Heartbeat
from services.jobs import Lease
from services.records.session import Database


class Stopping(Exception):  # noqa: N818 - not an error: the worker was told to stop
    """The worker stops; what was done of the capture is put aside."""


class CaptureProgress:
    """Progress of one capture; call it with all verdicts so far."""

    def __init__(
        self,
        database: Database,
        lease: Lease,
        heartbeat: Heartbeat,
        stop: threading.Event,
        *,
        inspection_id: str,
        saved: int,
        every_s: float,
    ) -> None:
        """Begin.

        Args:
            database: where blocks go.
            lease: of the job.
            heartbeat: of the job.
            stop: set when the worker shall stop.
            inspection_id: that the inspection will have.
            saved: how many verdicts are put aside already.
            every_s: how much work may be lost with the worker, seconds.
        """
        self._database = database
        self._lease = lease
        self._heartbeat = heartbeat
        self._stop = stop
        self._inspection_id = inspection_id
        self._saved = saved
        self._before = heartbeat.windows_done
        self._every_s = every_s
        self._last = time.monotonic()

    def __call__(self, verdicts: Sequence[Verdict]) -> None:
        """After a batch.

        Raises:
            LostLease: the job is somebody else's: stop.
            Stopping: the worker was told to stop; the verdicts are put aside.
        """
        self._heartbeat.windows_done = self._before + len(verdicts)
        self._heartbeat.check()
        stopping = self._stop.is_set()
        if stopping or time.monotonic() - self._last >= self._every_s:
            save_block(self._database, self._lease, self._inspection_id, self._saved, verdicts[self._saved :])
            self._saved = len(verdicts)
            self._last = time.monotonic()
        if stopping:
            raise Stopping
