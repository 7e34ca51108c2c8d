"""What pages and API read: frozen dataclasses, complete when they leave the database."""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Generic, TypeVar

from models.domain.alert import AlertState, Disposition, Severity
from models.domain.capture import Capture, ReadWarning
from models.domain.errors import Complaint, InputError
from models.domain.inspection import BundleRef, Inspection
from models.domain.verdict import Reason, Verdict
from services.priority import Priority
from services.records.tables import JobState

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the next one starts behind this row, whatever was added meanwhile."""

    moment: datetime
    id: str

    def __str__(self) -> str:
        """Opaque text for a URL."""
        return base64.urlsafe_b64encode(f"{self.moment.isoformat()}|{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read back what `str` gave.

        Raises:
            InputError: it is not one of our cursors.
        """
        try:
            padded = text + "=" * (-len(text) % 4)
            moment, _, row = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition("|")
            cursor = cls(in_utc(datetime.fromisoformat(moment)), row)
        except ValueError as error:
            raise InputError("bad cursor", where="cursor", expected="one from `next`", got=text[:80]) from error
        if not row:
            raise InputError("bad cursor", where="cursor", expected="one from `next`", got=text[:80])
        return cursor

    @property
    def number(self) -> int:
        """The row's number, in lists whose rows are numbered.

        Raises:
            InputError: it is a cursor of another list.
        """
        if not (self.id.isascii() and self.id.isdecimal() and len(self.id) < 19):
            raise InputError(
                "bad cursor", where="cursor", expected="one from `next` of the same list", got=self.id[:80]
            )
        return int(self.id)


def in_utc(moment: datetime) -> datetime:
    """A moment that somebody told us, as the same moment in UTC.

    Raises:
        ValueError: it has no zone, or it lies outside of the calendar in UTC.
    """
    if moment.tzinfo is None:
        raise ValueError("a moment without zone")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("a moment outside of the calendar") from error


UNTIMED = datetime(1970, 1, 1, tzinfo=UTC)
"""The moment in cursors of lists that are not in the order of time."""


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Some items, newest first, and where the next ones start (None = that was all)."""

    items: tuple[Item, ...]
    next: Cursor | None

    @classmethod
    def cut(cls, found: Sequence[Item], limit: int | None, cursor: Callable[[Item], Cursor]) -> "Page[Item]":
        """A page of `limit` items, of which one more was looked for to see whether there are more; None takes all."""
        if limit is None or len(found) <= limit:
            return cls(tuple(found), None)
        return cls(tuple(found[:limit]), cursor(found[limit - 1]))


@dataclass(frozen=True, slots=True)
class InspectionSummary:
    """A line of the list of inspections: what was judged, by which bundle, with what result.

    Attributes:
        id: hash of capture and bundle.
        capture: what was judged.
        sha256: the source file in the spool.
        file_name: its name when it came.
        bundle: by which bundle.
        normal: that bundle's label for "nothing to act on".
        label: the capture's own verdict, None = unknown.
        confidence: of that verdict, 0..1.
        novelty: of that verdict, higher is stranger.
        reason: why.
        windows: how many were judged.
        counts: windows per label; objects where `counted`.
        counted: True if verdicts are of objects, not of all windows.
        warnings: what was odd in the file, which was read nevertheless.
        started_at: when the inspection began.
        duration_s: how long it took, seconds.
        recorded_at: when it was written.
        received_at: when the file came in (received → recorded is what the operator waits for).
    """

    id: str
    capture: Capture
    sha256: str
    file_name: str
    job_id: int
    bundle: BundleRef
    normal: str | None
    label: str | None
    confidence: float
    novelty: float
    reason: Reason
    windows: int
    counts: Mapping[str, int]
    counted: bool
    warnings: tuple[ReadWarning, ...]
    started_at: datetime
    duration_s: float
    recorded_at: datetime
    received_at: datetime

    @property
    def is_unknown(self) -> bool:
        """True if the capture was refused a label."""
        return self.label is None and self.reason is not Reason.NOT_INSPECTED


@dataclass(frozen=True, slots=True)
class InspectionDetail:
    """The page of an inspection: its line, every verdict in the order of the windows, and the alerts it is part of."""

    summary: InspectionSummary
    verdicts: tuple[Verdict, ...]
    alert_ids: tuple[int, ...]

    @property
    def inspection(self) -> Inspection:
        """As it was recorded."""
        line = self.summary
        return Inspection(
            capture=line.capture,
            bundle=line.bundle,
            verdicts=self.verdicts,
            normal=line.normal,
            started_at=line.started_at,
            duration_s=line.duration_s,
            warnings=line.warnings,
        )


@dataclass(frozen=True, slots=True)
class NumberedVerdict:
    """A verdict with the number of its window, in the order they were cut."""

    n: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class AlertSummary:
    """A line of the list of alerts. Show `version` to whoever may change it: the change must name it.

    `inspection_id` is the first inspection that raised it; `job_id` the first job, where a file could not be inspected.
    """

    id: int
    rule: str
    pattern: str
    product: str | None
    step: str | None
    tool: str | None
    severity: Severity
    state: AlertState
    title: str
    action: str
    inspection_id: str | None
    job_id: int | None
    count: int
    first_seen: datetime
    last_seen: datetime
    version: int
    handled_by: str | None
    handled_at: datetime | None
    assigned_to: str | None
    disposition: Disposition | None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """What happened to an alert; `before` is None where it was opened, `request` where no request did it."""

    number: int
    at: datetime
    actor: str
    before: AlertState | None
    after: AlertState
    note: str
    request: str | None


@dataclass(frozen=True, slots=True)
class AlertDetail:
    """The page of an alert.

    Attributes:
        summary: its line.
        inspection: the inspection that raised it first, if one did.
        job: the job that raised it first, where a file could not be inspected.
        occurrences: the newest inspections that are part of it, at most the limit asked for.
        events: its history, oldest first.
    """

    summary: AlertSummary
    inspection: InspectionSummary | None
    job: "JobSummary | None"
    occurrences: tuple[InspectionSummary, ...]
    events: tuple[AlertEvent, ...]


@dataclass(frozen=True, slots=True)
class JobSummary:
    """A job: the way of one file along one route. `error` is why the last try failed, None if it did not."""

    id: int
    sha256: str
    file_name: str
    size_bytes: int
    route: str
    state: JobState
    sender: str
    priority: int
    attempts: int
    windows_done: int
    created_at: datetime
    not_before: datetime
    finished_at: datetime | None
    error_code: str | None
    error: Complaint | None
    inspection_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """How the service stands, for health checks, metrics and the page's head.

    Attributes:
        at: the database's time of these numbers.
        jobs: how many in each state in which something is still to be done.
        alerts: open and acknowledged ones by severity and state.
        oldest_queued_at: since when the oldest job waits, None if none does; backfills, which may wait, aside.
        queued: how many wait at each priority, and since when the oldest of them does.
        unsent: messages not yet sent.
        oldest_unsent_at: since when the oldest of them waits.
        given_up: messages that no receiver took.
        opened: alerts opened in the last ten minutes.
    """

    at: datetime
    jobs: Mapping[JobState, int]
    alerts: Mapping[tuple[Severity, AlertState], int]
    oldest_queued_at: datetime | None
    unsent: int
    oldest_unsent_at: datetime | None
    given_up: int
    opened: int
    queued: Mapping[Priority, tuple[int, datetime]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Marks:
    """The newest of everything pages show live; cheap enough to ask for every second.

    Attributes:
        at: the database's time.
        last_alert_at: when an alert was last raised or repeated.
        last_handled_at: when a person last changed one.
        open_alerts: how many wait for a person.
        critical: how many of them are critical.
        last_inspection_at: when an inspection was last recorded.
        jobs: how many in each state in which something is still to be done.
        windows: windows done by running jobs.
    """

    at: datetime
    last_alert_at: datetime | None
    last_handled_at: datetime | None
    open_alerts: int
    critical: int
    last_inspection_at: datetime | None
    jobs: Mapping[JobState, int]
    windows: int

    @property
    def set_aside(self) -> int:
        """Files that could not be inspected and need a person."""
        return self.jobs.get(JobState.QUARANTINED, 0) + self.jobs.get(JobState.DEAD, 0)


@dataclass(frozen=True, slots=True)
class Day:
    """What was inspected since a moment.

    Attributes:
        inspections: how many.
        unknown: how many of them were refused a label.
        defects: how many were given a label other than normal.
        latency_s: from the arrival of the file to the verdict, mean of the newest hundred, seconds; None = none.
    """

    inspections: int
    unknown: int
    defects: int
    latency_s: float | None
