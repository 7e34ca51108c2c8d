"""Planted faults: ways to write this program that look right. A fault test counts only if it catches one of them."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from sqlalchemy import update

from models.domain.alert import Alert
from services.alerting import relay
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.api import problems
from services.inspection import recording, trying, worker
from services.inspection.recording import Recorded, Recorder
from services.intake import receiving, spool, watching
from services.intake.receiving import Arrival, Receipt
from services.intake.spool import Spooled
from services.intake.watching import Watcher
from services.jobs import Lease, LeasePolicy, lease, settling
from services.records import session as session_module
from services.records.session import WriteSession, now
from services.records.tables import JobRow
from services.records.watchdog import WatchedConnection


def planted(name: str | None) -> AbstractContextManager[None]:
    """One of those below by its name, which can be sent to other processes; None = the program as it is."""
    return nullcontext() if name is None else globals()[name]()


@contextmanager
def source_removed_first() -> Iterator[None]:
    """The source goes when its bytes are in the spool, before the row is committed."""
    real = Watcher._register

    def register(self: Watcher, path: Path, spooled: Spooled, sighting: Any) -> None:
        self._settle(path)
        real(self, path, spooled, sighting)

    with mock.patch.object(watching.Watcher, "_register", register):
        yield


@contextmanager
def alert_outside_transaction() -> Iterator[None]:
    """The inspection is committed, then its alerts are."""

    def finish(self: Recorder, held: Lease, found: Sequence[recording.Judged]) -> Recorded:
        with self.database.write() as session:
            settling.complete(session, held)
            for one in found:
                recording.add_inspection(
                    session, one.inspection, sha256=held.sha256, job_id=held.job_id, fence=held.fence, at=now(session)
                )
        with self.database.write() as session:
            for one in found:
                raise_alerts(session, evaluate(one.inspection), at=now(session), channels=self.alerting.channels)
        return Recorded(tuple(found), ())

    with mock.patch.object(recording.Recorder, "finish", finish):
        yield


@contextmanager
def no_fence() -> Iterator[None]:
    """Whoever finishes a job writes it down, whoever holds it by now; results are told apart by the try."""

    def settle_any(session: WriteSession, held: Lease, **values: Any) -> None:
        session.execute(update(JobRow).where(JobRow.id == held.job_id).values(**values))

    with mock.patch.object(lease, "_update", settle_any):
        yield


@contextmanager
def inspections_are_counted() -> Iterator[None]:
    """An alert counts inspections, not what they show: another bundle's look at the same capture is news."""
    real = recording.raise_alerts

    def raise_each(session: WriteSession, alerts: Sequence[Alert], **named: Any) -> Any:
        return real(session, [replace(one, subject=one.inspection_id or one.subject) for one in alerts], **named)

    with mock.patch.object(recording, "raise_alerts", raise_each):
        yield


@contextmanager
def nobody_buries() -> Iterator[None]:
    """A job whose workers all died is left to whoever comes next; and nobody may."""
    with mock.patch.object(worker, "bury_silent", return_value=0):
        yield


@contextmanager
def every_wish_is_new() -> Iterator[None]:
    """A job has no name of its own, and an arrival is not looked up: sent twice, it is two."""

    def register(session: WriteSession, spooled: Spooled, arrival: Arrival) -> Receipt:
        return receiving.register(session, spooled, replace(arrival, key="", route=uuid.uuid4().hex))

    with mock.patch.object(watching, "register", register):
        yield


@contextmanager
def stopped_is_done() -> Iterator[None]:
    """A worker that is told to stop settles what it holds, so that nobody waits for it."""
    with mock.patch.object(trying, "release", settling.complete):
        yield


@contextmanager
def nothing_runs_out() -> Iterator[None]:
    """Errors of the system are errors like any others."""
    blind = mock.patch.object(problems, "exhaustion_in", return_value=None)
    with blind, mock.patch.object(spool, "exhaustion_in", return_value=None):
        yield


@contextmanager
def no_watchdog() -> Iterator[None]:
    """A call of the database ends when the database answers."""
    with mock.patch.object(WatchedConnection, "patience_s", property(lambda _: None, lambda *_: None)):
        yield


@contextmanager
def no_ping() -> Iterator[None]:
    """A pooled connection is thought to live because it lived."""
    real = session_module.create_engine

    def create_engine(url: Any, **options: Any) -> Any:
        return real(url, **options | {"pool_pre_ping": False})

    with mock.patch.object(session_module, "create_engine", create_engine):
        yield


@contextmanager
def no_backward_clock_guard() -> Iterator[None]:
    """A lease or a pause ends when its time comes, however far off that is."""

    def times(moment: datetime, _: LeasePolicy) -> dict[str, datetime]:
        never = datetime.max.replace(tzinfo=UTC)
        return {"moment": moment, "latest_lease": never, "latest_retry": never}

    with mock.patch.object(lease, "times", times):
        yield


@contextmanager
def marked_before_sent() -> Iterator[None]:
    """A message is marked as sent, then sent: at most once instead of at least once."""

    def relay_one(database: Any, channel: Any, policy: LeasePolicy, _: Any) -> bool:
        with database.write() as session:
            claimed = relay._claim(session, channel.name, policy)
            if claimed is not None:
                relay._mark(session, claimed, sent_at=now(session), error=None)
        if claimed is not None:
            channel.send(claimed.message)
        return claimed is not None

    with mock.patch.object(relay, "_relay_one", relay_one):
        yield


@contextmanager
def taken_at_first_sight() -> Iterator[None]:
    """A file is taken when it is seen, complete or not."""

    def is_time(self: Watcher, path: Path, sighting: Any) -> bool:
        return True

    def ripe(self: Watcher) -> list[Path]:
        self._sightings = {
            path: watching._Sighting(signature, 0.0)
            for path, signature in watching.files_below(self._folder, self._policy.names, lambda *_: None)
        }
        return list(self._sightings)

    with mock.patch.object(Watcher, "_is_time", is_time), mock.patch.object(Watcher, "_ripe", ripe):
        yield
