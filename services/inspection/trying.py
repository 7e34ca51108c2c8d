"""One try of one job: open the file, inspect its captures, record them, and settle the job whatever happens."""

import logging
import threading
from collections.abc import Iterator

from models.domain.errors import InputError, RetryableError, WaferwatchError
from models.domain.inspection import inspection_id
from pipelines.ingestion import CaptureReader, open_captures
from services.exhaustion import exhaustion_in
from services.inspection.blocks import saved_verdicts
from services.inspection.dispatch import Dispatch, is_bundles_fault
from services.inspection.heartbeat import Heartbeat
from services.inspection.inspecting import inspect
from services.inspection.judging import PatchClassifier
from services.inspection.naming import for_people, named
from services.inspection.outage import Classifiers, Outage, is_outage
from services.inspection.progress import CaptureProgress, Stopping
from services.inspection.recording import Judged, Recorded, Recorder
from services.inspection.workplace import Workplace
from services.jobs import Lease, LostLease, release
from services.records.store import has_judged, is_recorded
from services.records.tables import JobState
from services.routing.lane import Lane
from services.routing.trials import note_failure

log = logging.getLogger(__name__)


class Try:
    """What a worker does between claiming a job and settling it."""

    def __init__(self, place: Workplace, lease: Lease, heartbeat: Heartbeat, stop: threading.Event) -> None:
        """Prepare; `do` does it."""
        self._place = place
        self._lease = lease
        self._heartbeat = heartbeat
        self._stop = stop
        self._spooled = place.spool.path(lease.sha256)
        self._recorder = Recorder(place.database, place.alerting, place.policy)
        self._found: list[Judged] = []
        """Not yet recorded; the last capture's is, with the end of the job."""
        self.recorded_ids: list[str] = []
        """Of the inspections this try recorded."""
        self._novelty_thresholds: dict[str, float] = {}
        """By digest of the bundle."""

    def do(self, classifiers: Classifiers) -> JobState:
        """Do it; returns the state the job is in then.

        Raises:
            LostLease: the job is somebody else's now; nothing more was written.
            RetryableError: the database is away; the lease will end.
        """
        try:
            self._inspect_all(Dispatch(classifiers, self._place.routing, self._lease))
            self._report(self._recorder.finish(self._lease, self._found))
        except LostLease:
            raise
        except Stopping:
            self._tried("given back")
            with self._place.database.write() as session:
                release(session, self._lease)
            return JobState.QUEUED
        except Outage as outage:
            return self._give_up(outage.cause, is_outage=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job must not be lost with it
            error = exhaustion_in(error) or error
            return self._give_up(error, is_outage=is_outage(error))
        self._tried("done")
        return JobState.DONE

    def _inspect_all(self, dispatch: Dispatch) -> None:
        """All captures, in the order of the file; all inspections but the last are recorded on the way."""
        readers = self._open()
        reader = next(readers, None)
        if reader is None:
            raise InputError("nothing to inspect", where=self._lease.file_name, code="empty-file")
        while reader is not None:
            self._inspect(reader, dispatch)
            reader = next(readers, None)
            if reader is not None and self._found:
                self._report(self._recorder.keep(self._lease, self._found))
                self._found.clear()

    def _open(self) -> Iterator[CaptureReader]:
        if not self._spooled.is_file():
            raise RetryableError(
                "spooled file is not there",
                where=str(self._spooled),
                remedy="is the spool folder mounted on this machine?",
                code="spool-missing",
            )
        place, known = self._place, self._lease.sha256
        return open_captures(self._spooled, limits=place.limits, options=place.options, sha256=known)

    def _inspect(self, reader: CaptureReader, dispatch: Dispatch) -> None:
        """Judge along the capture's lane; what a canary's bundle cannot judge, the rule's own bundle does."""
        lane = dispatch.lane(reader.capture)
        try:
            self._judge(reader, lane, dispatch.classifier(lane.route))
        except Exception as error:
            if not is_bundles_fault(error):
                raise
            self._note_failure(reader, lane, dispatch, error)
            if not lane.is_canary:
                raise
            log.warning("canary %s cannot judge %s: %s", lane.route, reader.capture.name, error)
            lane = lane.taken_back()
            self._judge(reader, lane, dispatch.classifier(lane.route))

    def _judge(self, reader: CaptureReader, lane: Lane, classifier: PatchClassifier) -> None:
        database, lease = self._place.database, self._lease
        manifest = classifier.manifest
        self._novelty_thresholds[manifest.ref.digest] = manifest.thresholds.novelty
        identity = inspection_id(reader.capture.id, manifest.ref.digest)
        with database.read() as session:
            if is_recorded(session, identity):
                return  # by an earlier try, or through another file with the same content
            if lease.fence > 1 and has_judged(session, lease.job_id, reader.capture.id):
                return
            done = saved_verdicts(session, lease.job_id, identity) if lease.fence > 1 else ()
        progress = CaptureProgress(
            database,
            lease,
            self._heartbeat,
            self._stop,
            inspection_id=identity,
            saved=len(done),
            every_s=self._place.policy.lease_s / 3,
        )
        inspection = inspect(reader, classifier, done=done, progress=progress)
        self._found.append(Judged(named(inspection, self._spooled, lease.file_name), lane))

    def _note_failure(self, reader: CaptureReader, lane: Lane, dispatch: Dispatch, error: Exception) -> None:
        """So that a bundle on trial is held to it, and its rival as well."""
        digest = dispatch.digest_of(lane.route)
        if not lane.rule or digest is None:
            return
        with self._place.database.write() as session:
            note_failure(session, self._lease.job_id, reader.capture, lane, digest=digest, error=error)
        if self._place.observer is not None:
            self._place.observer.routed(lane, None)

    def _give_up(self, error: Exception, *, is_outage: bool) -> JobState:
        error = for_people(error, self._spooled, self._lease.file_name)
        state, recorded = self._recorder.give_up(self._lease, self._found, error, is_outage=is_outage)
        expected = isinstance(error, WaferwatchError)
        log.warning("job %s is %s: %s", self._lease.job_id, state.value, error, exc_info=None if expected else error)
        self._report(recorded)
        self._tried(("outage" if is_outage else "retry") if state is JobState.QUEUED else state.value)
        if state is not JobState.QUEUED and self._place.observer is not None:
            self._place.observer.quarantined(error.code if isinstance(error, WaferwatchError) else "unexpected")
        return state

    def _tried(self, outcome: str) -> None:
        if self._place.observer is not None:
            self._place.observer.tried(outcome)

    def _report(self, recorded: Recorded) -> None:
        self.recorded_ids += [one.inspection.id for one in recorded.inspections]
        observer = self._place.observer
        if observer is None:
            return
        for one in recorded.inspections:
            inspection = one.inspection
            threshold = self._novelty_thresholds[inspection.bundle.digest]
            observer.inspected(inspection, novelty_threshold=threshold, seen_at=self._lease.queued_at)
            observer.routed(one.lane, inspection)
        for raised in recorded.alerts:
            observer.alert_raised(raised)
