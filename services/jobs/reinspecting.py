"""Inspect again what was inspected before, with another bundle. Alerts count a capture once, so none is repeated."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import aliased

from services.jobs.submitting import enqueue
from services.priority import Priority
from services.records.queries import InspectionFilter
from services.records.session import Database
from services.records.tables import CaptureRow, InspectionRow, JobRow

FILES_AT_ONCE = 200
"""In one transaction."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What shall be inspected again.

    Attributes:
        digest: of the bundle that shall judge; installed on the machines that serve.
        which: inspections whose files are meant.
        since: recorded from then on, UTC.
        until: recorded before, UTC.
        sender: who asks.
        priority: how urgent it is.
    """

    digest: str
    which: InspectionFilter = field(default_factory=InspectionFilter)
    since: datetime | None = None
    until: datetime | None = None
    sender: str = "reinspect"
    priority: Priority = Priority.BACKFILL


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of some files: how many were looked at, and how many jobs are new."""

    files: int
    jobs: int


def reinspect(database: Database, wish: Wish, *, dry: bool = False) -> Iterator[Asked]:
    """Enqueue a job for each file, some at a time, the newest first.

    Files the bundle judged already, or was asked to, are left alone: who stops in between goes on by asking again.

    Args:
        database: opened by the caller.
        wish: what and with which bundle.
        dry: count only.

    Yields:
        What came of the next files.
    """
    behind: tuple[datetime, str] | None = None
    while True:
        with database.read() as session:
            found = session.execute(_files(wish, behind)).tuples().all()
        if not found:
            return
        behind = found[-1][1:]
        files = dict.fromkeys(row[0] for row in found)
        made = 0
        if not dry:
            with database.write() as session:
                made = sum(
                    enqueue(session, sha256=one, route=wish.digest, sender=wish.sender, priority=wish.priority)[1]
                    for one in files
                )
        yield Asked(len(files), made)


def _files(wish: Wish, behind: tuple[datetime, str] | None) -> Select[str, datetime, str]:
    again = aliased(InspectionRow)
    judged = select(again.id).where(again.capture_id == InspectionRow.capture_id, again.bundle_digest == wish.digest)
    asked = select(JobRow.id).where(JobRow.sha256 == CaptureRow.sha256, JobRow.route == wish.digest)
    wanted = (
        select(CaptureRow.sha256, InspectionRow.recorded_at, InspectionRow.id)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .where(*wish.which.conditions(), ~judged.exists(), ~asked.exists())
    )
    if wish.since is not None:
        wanted = wanted.where(InspectionRow.recorded_at >= wish.since)
    if wish.until is not None:
        wanted = wanted.where(InspectionRow.recorded_at < wish.until)
    if behind is not None:
        wanted = wanted.where(tuple_(InspectionRow.recorded_at, InspectionRow.id) < behind)
    return wanted.order_by(InspectionRow.recorded_at.desc(), InspectionRow.id.desc()).limit(FILES_AT_ONCE)
