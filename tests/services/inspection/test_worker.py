"""The worker: everything it finds is recorded once, whatever happens on the way."""

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from models.domain.capture import ReadWarning
from models.domain.errors import ConfigurationError, RetryableError
from services.alerting.occurrences import Raised
from services.alerting.policy import AlertPolicy
from services.inspection import Worked, Workplace, trying, work, work_once
from services.inspection.judging import BATCH, PatchClassifier
from services.intake.receiving import Arrival, receive
from services.intake.spool import Spool
from services.jobs import LeasePolicy, cancel, claim
from services.records import queries
from services.records.session import Database
from services.records.tables import BlockRow, JobRow, JobState, OutboxRow, VerdictRow
from services.records.views import AlertSummary, InspectionSummary, JobSummary
from tests.services.inspection.faking import FakeClassifier, fake_open, manifest

POLICY = LeasePolicy(lease_s=30, max_attempts=2, backoff_s=2, backoff_limit_s=60)


@dataclass
class Counts:
    """An observer."""

    inspected_files: list[str] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    alerts: list[tuple[str, bool]] = field(default_factory=list)

    def inspected(self, inspection: object, *, novelty_threshold: object, seen_at: object) -> None:
        assert novelty_threshold == 1.0
        assert seen_at is not None
        self.inspected_files.append(inspection.capture.name)  # type: ignore[attr-defined]

    def tried(self, outcome: str) -> None:
        self.tries.append(outcome)

    def quarantined(self, code: str) -> None:
        self.codes.append(code)

    def routed(self, lane: object, inspection: object) -> None:
        pass

    def shadowed(self, route: str, outcome: str) -> None:
        pass

    def alert_raised(self, raised: Raised) -> None:
        self.alerts.append((raised.alert.fingerprint.pattern, raised.is_new))


class Line:
    """A service without Ray: a spool, a database, one worker."""

    def __init__(self, database: Database, spool: Spool) -> None:
        self.database = database
        self.counts = Counts()
        self.place = Workplace(
            database, spool, "worker", POLICY, alerting=AlertPolicy(channels=("webhook",)), observer=self.counts
        )
        self.classifier = FakeClassifier(manifest(levels=(-1,)))

    def send(self, text: str, name: str = "lot7.001", route: str = "champion") -> int:
        arrival = Arrival(origin="upload", path=name, route=route)
        return receive(self.database, self.place.spool, io.BytesIO(text.encode()), arrival).job_id

    def work(self, classifiers: Callable[[str], PatchClassifier] | None = None) -> Worked | None:
        return work_once(self.place, classifiers or (lambda _: self.classifier))

    def job(self, job_id: int) -> JobSummary:
        with self.database.read() as session:
            job = queries.job(session, job_id)
        assert job is not None
        return job

    def inspections(self) -> list[InspectionSummary]:
        with self.database.read() as session:
            return list(queries.inspections(session).items)

    def alerts(self) -> dict[str, AlertSummary]:
        with self.database.read() as session:
            return {alert.pattern: alert for alert in queries.alerts(session).items}

    def count(self, table: type) -> int:
        with self.database.read() as session:
            return session.scalars(select(func.count()).select_from(table)).one()

    def make_due(self) -> None:
        with self.database.write() as session:
            session.execute(update(JobRow).values(not_before=JobRow.created_at))

    def expire_leases(self) -> None:
        with self.database.write() as session:
            for row in session.scalars(select(JobRow).where(JobRow.state == JobState.RUNNING)):
                assert row.lease_until is not None
                row.lease_until -= timedelta(seconds=POLICY.lease_s + 1)


@pytest.fixture
def line(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    monkeypatch.setattr(trying, "open_captures", fake_open)
    return Line(database, Spool(tmp_path / "spool", limit_bytes=1 << 20))


def raising(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def test_nothing_to_do(line: Line) -> None:
    assert line.work() is None


def test_a_file_becomes_inspection_alert_and_message_at_once(line: Line) -> None:
    job_id = line.send("0 1 1 99")
    worked = line.work()
    assert worked is not None
    assert (worked.job_id, worked.state) == (job_id, JobState.DONE)
    (inspection,) = line.inspections()
    assert worked.inspection_ids == (inspection.id,)
    assert inspection.counts == {"Normal": 1, "Scratch": 2, "unknown": 1}
    assert inspection.capture.name == "lot7.001", "people do not know files by their hashes"
    assert set(line.alerts()) == {"Scratch", "novel"}
    assert line.count(OutboxRow) == 2
    line.counts.alerts.sort()
    assert line.counts == Counts(["lot7.001"], ["done"], [], [("Scratch", True), ("novel", True)])


def test_the_same_bytes_twice_are_one_inspection(line: Line) -> None:
    line.send("1")
    line.work()
    line.send("1", name="copy.001")
    assert line.work() is None
    assert len(line.inspections()) == 1


def test_another_bundle_is_another_inspection_and_repeats_no_alert(line: Line) -> None:
    line.send("1", route="b" * 64)
    line.work()
    line.send("1", route="c" * 64)
    other = FakeClassifier(manifest("c" * 64, levels=(-1,)))
    worked = line.work(lambda _: other)
    assert worked is not None
    assert worked.state is JobState.DONE
    assert {one.bundle.digest for one in line.inspections()} == {"b" * 64, "c" * 64}
    assert line.alerts()["Scratch"].count == 1
    assert line.count(OutboxRow) == 1


def test_the_route_chooses_the_classifier(line: Line) -> None:
    line.send("0", route="aerial")
    asked: list[str] = []

    def classifiers(route: str) -> FakeClassifier:
        asked.append(route)
        return line.classifier

    line.work(classifiers)
    assert asked == ["aerial"]


def test_every_wafer_of_a_lot_is_an_inspection(line: Line) -> None:
    job_id = line.send("0\n1\n2")
    line.work()
    assert len(line.inspections()) == 3
    assert len(line.job(job_id).inspection_ids) == 3


def test_wafers_before_a_broken_one_are_recorded_and_the_file_is_quarantined(line: Line) -> None:
    job_id = line.send("1\n2\nbroken\n0")
    worked = line.work()
    assert worked is not None
    assert worked.state is JobState.QUARANTINED
    assert len(line.inspections()) == 2
    assert set(line.alerts()) == {"Scratch", "Ring", "bad-input"}
    error = line.job(job_id).error
    assert error is not None
    assert error.where == "lot7.001:3"
    assert line.counts.codes == ["bad-input"]


def test_a_truncated_file_in_the_spool_will_never_grow(line: Line) -> None:
    job_id = line.send("truncated")
    line.work()
    assert (line.job(job_id).state, line.job(job_id).error_code) == (JobState.QUARANTINED, "truncated")


def test_an_empty_file_is_quarantined(line: Line) -> None:
    job_id = line.send("")
    line.work()
    assert (line.job(job_id).state, line.job(job_id).error_code) == (JobState.QUARANTINED, "empty-file")


def test_a_bug_is_tried_again_and_dies_with_an_alert(line: Line) -> None:
    job_id = line.send("bug")
    for _ in range(POLICY.max_attempts):
        line.work()
        line.make_due()
    assert line.work() is None
    assert line.job(job_id).state is JobState.DEAD
    assert set(line.alerts()) == {"unexpected"}
    assert line.counts.codes == ["unexpected"]


def test_a_spool_that_is_not_mounted_condemns_no_file(line: Line) -> None:
    job_id = line.send("0")
    line.place.spool.path(line.job(job_id).sha256).rename(line.place.spool.folder / "elsewhere")
    line.work()
    assert (line.job(job_id).state, line.job(job_id).error_code) == (JobState.QUEUED, "spool-missing")


@pytest.mark.parametrize("error", [RetryableError("no bundle yet"), ConfigurationError("bundle damaged")])
def test_an_outage_of_the_classifier_kills_no_job(line: Line, error: Exception) -> None:
    job_id = line.send("1")

    def nobody(_: str) -> FakeClassifier:
        raise error

    for _ in range(3 * POLICY.max_attempts):
        worked = line.work(nobody)
        assert worked is not None
        assert worked.state is JobState.QUEUED
        line.make_due()
    assert line.job(job_id).attempts == 0
    line.work()
    assert line.job(job_id).state is JobState.DONE


def test_a_job_that_always_takes_the_classifier_down_is_dead_in_the_end(line: Line) -> None:
    line.place = replace(line.place, policy=replace(POLICY, max_claims=5))
    line.classifier.before = raising(RetryableError("replica died", code="classifier-unavailable"))
    job_id = line.send("1")
    for _ in range(5):
        assert line.job(job_id).state is JobState.QUEUED
        line.work()
        line.make_due()
    assert line.job(job_id).state is JobState.DEAD


def test_a_worker_that_lost_its_lease_writes_nothing(line: Line, caplog: pytest.LogCaptureFixture) -> None:
    job_id = line.send("1")
    thief = Line(line.database, line.place.spool)

    def steal() -> None:
        line.classifier.before = lambda: None
        line.expire_leases()
        worked = thief.work()
        assert worked is not None
        assert worked.state is JobState.DONE

    line.classifier.before = steal
    assert line.work() == Worked(job_id, None)
    assert any("lost lease" in record.message for record in caplog.records)
    assert len(line.inspections()) == 1
    assert line.alerts()["Scratch"].count == 1
    assert line.counts == Counts(tries=["lost lease"])


def test_a_cancelled_job_stops_and_records_nothing(line: Line) -> None:
    job_id = line.send("1")

    def stop() -> None:
        with line.database.write() as session:
            cancel(session, job_id)

    line.classifier.before = stop
    assert line.work() == Worked(job_id, None)
    assert line.job(job_id).state is JobState.CANCELLED
    assert line.inspections() == []


def test_a_worker_told_to_stop_puts_its_work_aside_and_the_next_goes_on(line: Line) -> None:
    job_id = line.send(" ".join(["1"] * (2 * BATCH)))
    stop = threading.Event()
    line.classifier.before = stop.set
    worked = work_once(line.place, lambda _: line.classifier, stop)
    assert worked is not None
    assert worked.state is JobState.QUEUED
    assert (line.job(job_id).attempts, line.count(BlockRow)) == (0, 1)
    line.classifier = FakeClassifier(line.classifier.manifest)
    line.work()
    assert line.classifier.batches == [BATCH]
    (inspection,) = line.inspections()
    assert inspection.windows == line.count(VerdictRow) == 2 * BATCH
    assert line.count(BlockRow) == 0


def test_a_worker_that_dies_loses_at_most_what_was_not_put_aside(line: Line) -> None:
    line.place = replace(line.place, policy=replace(POLICY, lease_s=0.001))  # everything is put aside at once
    line.send(" ".join(["1"] * (3 * BATCH)))
    calls = iter(range(10))
    line.classifier.before = lambda: raising(KeyboardInterrupt())() if next(calls) == 2 else None
    with pytest.raises(KeyboardInterrupt):
        line.work()
    assert line.count(BlockRow) == 2
    heir = Line(line.database, line.place.spool)
    threading.Event().wait(0.01)
    heir.work()
    assert heir.classifier.batches == [BATCH]
    assert [one.windows for one in heir.inspections()] == [3 * BATCH]


def test_what_was_put_aside_with_another_bundle_is_not_used(line: Line) -> None:
    line.send(" ".join(["1"] * (2 * BATCH)))
    stop = threading.Event()
    line.classifier.before = stop.set
    work_once(line.place, lambda _: line.classifier, stop)
    other = FakeClassifier(manifest("c" * 64, levels=(-1,)))
    line.work(lambda _: other)
    assert sum(other.batches) == 2 * BATCH


def test_long_work_keeps_its_lease(line: Line) -> None:
    line.place = replace(line.place, policy=replace(POLICY, lease_s=0.6))
    line.send("1")

    def dawdle() -> None:
        threading.Event().wait(1.0)
        with line.database.write() as session:
            assert claim(session, "thief", line.place.policy) is None

    line.classifier.before = dawdle
    worked = line.work()
    assert worked is not None
    assert worked.state is JobState.DONE


def test_work_ends_when_told(line: Line) -> None:
    stop = threading.Event()
    for number in range(3):
        line.send(f"{number} 1")
    worker = threading.Thread(target=work, args=(line.place, lambda _: line.classifier, stop, 0.01))
    worker.start()
    for _ in range(500):
        if len(line.inspections()) == 3:
            break
        threading.Event().wait(0.02)
    stop.set()
    worker.join(5)
    assert not worker.is_alive()
    assert len(line.inspections()) == 3


def test_what_was_odd_in_the_file_is_told_with_its_name(line: Line) -> None:
    line.send("odd 1\n1")
    line.work()
    odd, plain = sorted(line.inspections(), key=lambda one: not one.warnings)
    assert odd.warnings == (ReadWarning("odd", "lot7.001: odd", 1),)
    assert plain.warnings == ()
