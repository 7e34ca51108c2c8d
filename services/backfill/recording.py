"""Results of a backfill as records, written as the service writes its own: source file, receipt, job, inspections.

An archive tells of the past. It raises no alert, and rules over the newest wafers of a tool do not see it.
"""

import os
import socket
from collections.abc import Sequence

from models.domain.inspection import Inspection
from pipelines.ingestion import Limits, ReadOptions, open_captures
from pipelines.ingestion.sources import fetch
from services.alerting.policy import AlertPolicy
from services.alerting.rule_file import shipped_rules
from services.inspection.inspecting import inspect
from services.inspection.judging import PatchClassifier
from services.inspection.naming import for_people, named
from services.inspection.recording import Judged, Recorder
from services.intake.names import file_name
from services.intake.receiving import Arrival, key_of, register
from services.intake.spool import Spool, Spooled
from services.jobs import LeasePolicy, claim
from services.priority import Priority
from services.records.session import Database
from services.routing.lane import Lane
from services.settings import Settings

SENDER = "backfill"


class Records:
    """Where a backfill records; several threads may use it, and several processes have one each."""

    def __init__(self, settings: Settings, digest: str) -> None:
        """Open the installation's database, whose tables are there.

        Args:
            settings: of the installation.
            digest: of the bundle that judges; the route of the jobs.
        """
        self._database = Database(settings.database_url, timeout_s=settings.database_timeout_s)
        self._spool = Spool(settings.spool_dir, settings.file_limit_bytes)
        self._policy = LeasePolicy(lease_s=settings.lease_s, max_attempts=settings.max_attempts)
        silent = AlertPolicy(shipped_rules().model_copy(update={"rules": ()}))
        self._recorder = Recorder(self._database, silent, self._policy, of_the_past=True)
        self._digest = digest
        self._owner = f"{SENDER} {socket.gethostname()}/{os.getpid()}"

    def inspect(self, file: str, classifier: PatchClassifier, options: ReadOptions) -> list[Inspection]:
        """Take a file of the archive into the spool, judge it there as the service would, and record what was found.

        A file that was recorded with this bundle before is judged again for its row, and not recorded twice. Who is
        killed in between leaves a job that the service finishes.

        Raises:
            InputError: the file is not one we can read; nothing is recorded.
            RetryableError: the file or the database is away.
        """
        spooled = self._spool.copy(fetch(file, Limits(), options.storage).path)
        path, name = self._spool.path(spooled.sha256), file_name(file)
        try:
            readers = open_captures(path, options=options, sha256=spooled.sha256)
            found = [named(inspect(reader, classifier), path, name) for reader in readers]
        except Exception as error:
            raise for_people(error, path, name) from error
        self._record(file, spooled, found)
        return found

    def _record(self, file: str, spooled: Spooled, found: Sequence[Inspection]) -> None:
        arrival = Arrival(
            "command", file, SENDER, self._digest, Priority.BACKFILL, key_of(SENDER, self._digest, file, spooled.sha256)
        )
        with self._database.write() as session:
            receipt = register(session, spooled, arrival)
            lease = claim(session, self._owner, self._policy, receipt.job_id)
        if lease is not None:
            lane = Lane("", self._digest)
            self._recorder.finish(lease, [Judged(one, lane) for one in found])

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()
