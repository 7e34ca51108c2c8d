"""The watch folder: a polling scanner that takes each state of each file once.

Polling, because notifications do not cross the network file systems that tools write to. A file is taken when two looks
saw the same size, time and inode and it is complete; one that stays incomplete past the deadline is taken as it is and
quarantined, so that nobody waits for it in vain. Any number of watchers may look at one folder.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import select

from models.domain.errors import ConfigurationError, InputError, RetryableError, WaferwatchError
from services.alerting.intake_rules import file_alert
from services.alerting.occurrences import raise_alerts
from services.alerting.policy import AlertPolicy
from services.alerting.rule_kinds import FileEvent
from services.intake.completeness import Check, check_complete
from services.intake.disposal import Disposal
from services.intake.looking import Names, files_below
from services.intake.names import file_name, printable
from services.intake.origins import Origins
from services.intake.receiving import Arrival, arrival_key, register
from services.intake.spool import Signature, Spool, Spooled
from services.jobs import quarantine, room_left
from services.records.session import Database, now
from services.records.tables import ReceiptRow

log = logging.getLogger(__name__)
Arrived = Callable[[str, int], None]
"""Told what became of a file that arrived, and its size in bytes."""
_AT_ONCE = 500
"""Keys per question to the database."""


@dataclass(frozen=True, slots=True)
class WatchPolicy:
    """What is taken, when waiting ends, and what happens then.

    Attributes:
        names: which files.
        owners: numbers of the users whose files are taken; None = anybody's.
        deadline_s: how long a file may stay incomplete without changing, seconds.
        disposal: what happens to a file once its row is committed.
        origins: who brought a file and how urgent it is.
        quota: how many files of one source may be unfinished at a time; the others wait in the folder.
        alerting: how alerts are raised of files that cannot be taken.
    """

    names: Names = field(default_factory=Names)
    owners: frozenset[int] | None = None
    deadline_s: float = 300.0
    disposal: Disposal = field(default_factory=Disposal)
    origins: Origins = field(default_factory=Origins)
    quota: int | None = None
    alerting: AlertPolicy = field(default_factory=AlertPolicy)


@dataclass(slots=True)
class Look:
    """What one look at the folder did: how many files were taken, must wait, or were refused."""

    taken: int = 0
    waiting: int = 0
    refused: int = 0


@dataclass(slots=True)
class _Sighting:
    """One state of one file; `truncated` once it was found incomplete (without a change it stays so)."""

    signature: Signature
    since: float
    is_settled: bool = False
    truncated: RetryableError | None = None
    over_quota: bool = False


class Watcher:
    """Looks at one folder and all below it."""

    def __init__(
        self,
        folder: Path,
        database: Database,
        spool: Spool,
        policy: WatchPolicy,
        *,
        route: Callable[[], str] = lambda: "champion",
        check: Check = check_complete,
        arrived: Arrived = lambda *_: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; the folder is looked at by `look`.

        Args:
            folder: where tools put files.
            database: where jobs go.
            spool: where bytes go.
            policy: what is taken.
            route: what shall judge a file that comes now.
            check: whether a file is complete.
            arrived: told of each file that was taken, known already, refused, or is kept waiting by its quota.
            clock: seconds that never go back.
        """
        self._folder = folder
        self._database = database
        self._spool = spool
        self._policy = policy
        self._route = route
        self._check = check
        self._arrived = arrived
        self._clock = clock
        self._sightings: dict[Path, _Sighting] = {}
        self._left_alone: set[Path] = set()
        self._room: dict[str, int] = {}
        """How many files each source may still send, as of this look."""

    def run(self, stop: threading.Event, every_s: float) -> None:
        """Look again and again until `stop` is set; what fails is tried again at the next look."""
        while not stop.is_set():
            try:
                self.look(stop)
            except (RetryableError, OSError) as error:
                log.warning("watch folder: %s", error)
            stop.wait(every_s)

    def look(self, stop: threading.Event | None = None) -> Look:
        """Look once, and take what was the same at the last look and is complete.

        Raises:
            RetryableError: the database is unreachable or the disk full; nothing is lost, look again.
        """
        ripe = self._ripe()
        self._room.clear()
        look = Look(waiting=sum(not sighting.is_settled for sighting in self._sightings.values()))
        known = self._known(ripe)
        for path in sorted(ripe, key=lambda path: self._sightings[path].signature.mtime_ns):
            if stop is not None and stop.is_set():
                break
            if path in known:
                # Taken before, but perhaps that process died before it could dispose of the source.
                self._settle(path)
            else:
                self._take(path, look)
            look.waiting -= self._sightings[path].is_settled
        return look

    def _ripe(self) -> list[Path]:
        """Files that were the same at the last look and are not settled."""
        seen: dict[Path, _Sighting] = {}
        ripe = []
        policy = self._policy
        for path, signature in files_below(self._folder, policy.names, self._warn_once, policy.owners):
            last = self._sightings.get(path)
            if last is None or last.signature != signature:
                seen[path] = _Sighting(signature, self._clock())
                continue
            seen[path] = last
            if not last.is_settled:
                ripe.append(path)
        self._sightings = seen
        return ripe

    def _take(self, path: Path, look: Look) -> None:
        sighting = self._sightings[path]
        try:
            if not self._is_time(path, sighting) or not self._has_room(path, sighting):
                return
            spooled = self._spool.copy(path)
        except FileNotFoundError:
            return  # moved away, or taken by another watcher
        except (InputError, ConfigurationError) as error:
            self._refuse(path, error)
            look.refused += 1
            return
        except RetryableError as error:
            if error.code != "file-changing":
                raise
            return
        if spooled.signature != sighting.signature:
            return  # another file came to this name between the look and the copy: look again
        self._register(path, spooled, sighting)
        look.taken += 1
        self._settle(path)

    def _is_time(self, path: Path, sighting: _Sighting) -> bool:
        """Whether the file is complete, or has not become so in time."""
        if sighting.truncated is None:
            try:
                self._check(path)
            except RetryableError as error:
                log.info("incomplete, waiting: %s", error)
                sighting.truncated = error
            except InputError as error:
                # Wrong, but not for being unfinished: it is taken, and quarantined by its inspection with the reason.
                log.info("taken although: %s", error)
        return sighting.truncated is None or self._clock() - sighting.since >= self._policy.deadline_s

    def _has_room(self, path: Path, sighting: _Sighting) -> bool:
        """Whether the file's source is within its quota; if not, the file waits where it is."""
        if self._policy.quota is None:
            return True
        sender = self._policy.origins.sender_of(path, self._folder)
        if sender not in self._room:
            with self._database.read() as session:
                self._room[sender] = room_left(session, sender, self._policy.quota)
        if self._room[sender] > 0:
            self._room[sender] -= 1
            return True
        if not sighting.over_quota:
            self._arrived("over quota", sighting.signature.size)
            self._warn_once(self._folder / sender, "its source has too many files unfinished; they are taken later")
        sighting.over_quota = True
        return False

    def _register(self, path: Path, spooled: Spooled, sighting: _Sighting) -> None:
        arrival = Arrival(
            origin="watch",
            path=str(path),
            sender=self._policy.origins.sender_of(path, self._folder),
            route=self._route(),
            priority=self._policy.origins.priority_of(path, self._folder),
            key=arrival_key(path, sighting.signature),
        )
        with self._database.write() as session:
            receipt = register(session, spooled, arrival)
            if sighting.truncated is not None and receipt.is_new_job:
                error = _never_completed(sighting.truncated, path)
                quarantine(session, receipt.job_id, error, self._policy.alerting)
        self._arrived("taken" if receipt.is_new_job else "known", spooled.size)
        log.info("took %s as job %s", printable(str(path)), receipt.job_id)

    def _settle(self, path: Path) -> None:
        sighting = self._sightings[path]
        sighting.is_settled = True
        try:
            self._policy.disposal.dispose(path, sighting.signature, self._folder)
        except OSError as error:
            log.warning("%s was taken but stays where it is: %s", printable(str(path)), error)

    def _refuse(self, path: Path, error: WaferwatchError) -> None:
        """What cannot be taken raises an alert: a wafer must not be overlooked."""
        sighting, alerting = self._sightings[path], self._policy.alerting
        subject = arrival_key(path, sighting.signature)
        name = file_name(str(path))
        alert = file_alert(
            alerting.rules, FileEvent.REFUSED, error.code, error.complaint, file_name=name, subject=subject
        )
        with self._database.write() as session:
            raise_alerts(session, [alert], at=now(session), channels=alerting.channels)
        self._arrived("refused", sighting.signature.size)
        log.error("refused: %s", error)
        sighting.is_settled = True

    def _known(self, paths: list[Path]) -> set[Path]:
        """Those that were taken before, by this process, one before it, or another watcher."""
        by_key = {arrival_key(path, self._sightings[path].signature): path for path in paths}
        keys = list(by_key)
        known: set[Path] = set()
        with self._database.read() as session:
            for start in range(0, len(keys), _AT_ONCE):
                found = select(ReceiptRow.arrival_key).where(ReceiptRow.arrival_key.in_(keys[start : start + _AT_ONCE]))
                known.update(by_key[key] for key in session.scalars(found))
        return known

    def _warn_once(self, path: Path, why: str) -> None:
        if path not in self._left_alone:
            self._left_alone.add(path)
            log.warning("%s is left alone: %s", printable(str(path)), why)


def _never_completed(error: RetryableError, path: Path) -> InputError:
    complaint = error.complaint
    return InputError(
        complaint.what,
        where=complaint.where.replace(str(path), file_name(str(path))),
        expected=complaint.expected,
        got=complaint.got,
        remedy="have the file sent again, whole",
        code=error.code,
    )
