"""What a worker writes: inspections with their alerts and messages, and how the job ends, in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.domain.inspection import Inspection
from services.alerting.evaluation import alerts_of
from services.alerting.occurrences import Raised, raise_alerts
from services.alerting.policy import AlertPolicy
from services.inspection.blocks import drop_blocks
from services.jobs import Lease, LeasePolicy, complete, fail, hold, postpone
from services.records.session import Database, WriteSession, now
from services.records.store import add_inspection
from services.records.tables import JobState
from services.routing.lane import Lane
from services.routing.shadows import ask_shadow


@dataclass(frozen=True, slots=True)
class Judged:
    """An inspection, and how its bundle was chosen."""

    inspection: Inspection
    lane: Lane


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a transaction wrote: the inspections that were new, and the alerts that counted."""

    inspections: tuple[Judged, ...]
    alerts: tuple[Raised, ...]


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes for workers.

    Attributes:
        database: where to.
        alerting: which inspections become alerts, and who is told.
        policy: how jobs are tried again.
        of_the_past: captures of an archive, which rules over the newest ones shall not see.
    """

    database: Database
    alerting: AlertPolicy
    policy: LeasePolicy
    of_the_past: bool = False

    def keep(self, lease: Lease, found: Sequence[Judged]) -> Recorded:
        """Write inspections of a job that goes on: a lot's first wafers need not wait for its last.

        Raises:
            LostLease: nothing was written.
        """
        with self.database.write() as session:
            hold(session, lease)
            return self._add(session, lease, found)

    def finish(self, lease: Lease, found: Sequence[Judged]) -> Recorded:
        """Write the last inspections of a job, and that it is done.

        Raises:
            LostLease: nothing was written.
        """
        with self.database.write() as session:
            complete(session, lease)
            drop_blocks(session, lease.job_id)
            return self._add(session, lease, found)

    def give_up(
        self, lease: Lease, found: Sequence[Judged], error: Exception, *, is_outage: bool
    ) -> tuple[JobState, Recorded]:
        """Write what was found before the try failed, and what becomes of the job.

        Raises:
            LostLease: nothing was written.
        """
        with self.database.write() as session:
            end = postpone if is_outage else fail
            state = end(session, lease, error, self.policy, self.alerting)
            return state, self._add(session, lease, found)

    def _add(self, session: WriteSession, lease: Lease, found: Sequence[Judged]) -> Recorded:
        moment = now(session)
        new = tuple(
            one
            for one in found
            if add_inspection(
                session,
                one.inspection,
                sha256=lease.sha256,
                job_id=lease.job_id,
                fence=lease.fence,
                at=moment,
                rule=one.lane.rule or None,
                route=one.lane.route,
                of_the_past=self.of_the_past,
            )
        )
        for one in new:
            if one.lane.shadow is not None:
                ask_shadow(session, one.inspection.id, one.lane.shadow, moment)
        alerts = alerts_of(session, [one.inspection for one in new], self.alerting.rules, moment)
        return Recorded(new, raise_alerts(session, alerts, at=moment, channels=self.alerting.channels))
