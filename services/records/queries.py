"""What pages and API ask for. Lists are newest first, in pages that start behind a row (keyset), never at an offset."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, ColumnExpressionArgument, Select, case, func, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, joinedload

from models.domain.alert import AlertState, Severity
from models.domain.verdict import Reason
from services.priority import Priority
from services.records.alert_tables import IS_OPEN, AlertEventRow, AlertOccurrenceRow, AlertRow
from services.records.bad_actors import SLOT, opened_since
from services.records.reading import alert_summary, event, inspection_summary, job_summary, verdict
from services.records.session import ReadSession, now
from services.records.silences import active_silences, is_silenced
from services.records.tables import (
    ENDED_BADLY,
    IS_GIVEN_UP,
    IS_REFUSED,
    IS_UNSENT,
    CaptureRow,
    InspectionRow,
    JobRow,
    JobState,
    OutboxRow,
    ReceiptRow,
    SourceFileRow,
    VerdictRow,
)
from services.records.views import (
    AlertDetail,
    AlertSummary,
    Cursor,
    Health,
    InspectionDetail,
    InspectionSummary,
    JobSummary,
    NumberedVerdict,
    Page,
)

LIVE = (AlertState.OPEN, AlertState.ACKNOWLEDGED)
NEEDS_A_PERSON = (JobState.QUARANTINED, JobState.DEAD)
NOT_OVER = (JobState.QUEUED, JobState.RUNNING, *NEEDS_A_PERSON)
"""States in which something is still to be done: the others hold all jobs there ever were, and are not counted."""


@dataclass(frozen=True, slots=True)
class InspectionFilter:
    """Which inspections; what is None does not matter.

    Attributes:
        lot: lot of the wafer.
        tool: inspection tool.
        product: product.
        step: process step.
        label: the capture's own label.
        unknown: True for those refused a label, False for those given one.
    """

    lot: str | None = None
    tool: str | None = None
    product: str | None = None
    step: str | None = None
    label: str | None = None
    unknown: bool | None = None

    def conditions(self) -> list[ColumnExpressionArgument[bool]]:
        """The same for SQL."""
        given: list[ColumnExpressionArgument[bool]] = [
            column == value
            for column, value in (
                (InspectionRow.lot, self.lot),
                (InspectionRow.tool, self.tool),
                (InspectionRow.product, self.product),
                (InspectionRow.step, self.step),
                (InspectionRow.label, self.label),
            )
            if value is not None
        ]
        if self.unknown is not None:
            named = InspectionRow.label.is_not(None) | (InspectionRow.reason == Reason.NOT_INSPECTED)
            given.append(IS_REFUSED if self.unknown else named)
        return given


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts; what is None does not matter."""

    severity: Severity | None = None
    pattern: str | None = None
    product: str | None = None
    step: str | None = None
    tool: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The same for SQL."""
        given: tuple[tuple[InstrumentedAttribute[Any], Any], ...] = (
            (AlertRow.severity, self.severity),
            (AlertRow.pattern, self.pattern),
            (AlertRow.product, self.product),
            (AlertRow.step, self.step),
            (AlertRow.tool, self.tool),
        )
        return [column == value for column, value in given if value is not None]


def alerts(
    session: ReadSession,
    *,
    states: Collection[AlertState] = LIVE,
    which: AlertFilter = AlertFilter(),
    silenced: bool | None = None,
    limit: int = 50,
    after: Cursor | None = None,
) -> Page[AlertSummary]:
    """Alerts in these states, the most recently seen first; `silenced` tells those that are apart from the others."""
    wanted = select(AlertRow).where(AlertRow.state.in_(states), *which.conditions())
    if silenced is not None:
        quiet = is_silenced(active_silences(session, now(session)))
        wanted = wanted.where(quiet if silenced else ~quiet)
    if set(states) <= set(LIVE):
        wanted = wanted.where(IS_OPEN)  # spelt out, or no database sees that the index of open alerts covers it
    if after is not None:
        wanted = wanted.where(tuple_(AlertRow.last_seen, AlertRow.id) < (after.moment, after.number))
    wanted = wanted.order_by(AlertRow.last_seen.desc(), AlertRow.id.desc())
    found = [alert_summary(row) for row in session.scalars(wanted.limit(limit + 1))]
    return Page.cut(found, limit, lambda one: Cursor(one.last_seen, str(one.id)))


def alert(session: ReadSession, alert_id: int, *, occurrences: int = 20) -> AlertDetail | None:
    """One alert with the newest of its inspections and its history; None if there is none."""
    row = session.get(AlertRow, alert_id)
    if row is None:
        return None
    newest = (
        _inspections()
        .join(AlertOccurrenceRow, AlertOccurrenceRow.inspection_id == InspectionRow.id)
        .where(AlertOccurrenceRow.alert_id == alert_id)
        .order_by(AlertOccurrenceRow.seen_at.desc(), InspectionRow.id)
        .limit(occurrences)
    )
    history = select(AlertEventRow).where(AlertEventRow.alert_id == alert_id).order_by(AlertEventRow.number)
    first = _summaries(session, _inspections().where(InspectionRow.id == row.inspection_id))
    return AlertDetail(
        summary=alert_summary(row),
        inspection=first[0] if first else None,
        job=None if row.job_id is None else job(session, row.job_id),
        occurrences=_summaries(session, newest),
        events=tuple(event(item) for item in session.scalars(history)),
    )


def inspections(
    session: ReadSession,
    *,
    which: InspectionFilter = InspectionFilter(),
    limit: int = 50,
    after: Cursor | None = None,
) -> Page[InspectionSummary]:
    """Inspections, the last recorded first."""
    wanted = _inspections().where(*which.conditions())
    if after is not None:
        wanted = wanted.where(tuple_(InspectionRow.recorded_at, InspectionRow.id) < (after.moment, after.id))
    wanted = wanted.order_by(InspectionRow.recorded_at.desc(), InspectionRow.id.desc()).limit(limit + 1)
    found = _summaries(session, wanted)
    return Page.cut(found, limit, lambda one: Cursor(one.recorded_at, one.id))


def inspection(session: ReadSession, inspection_id: str) -> InspectionDetail | None:
    """One inspection with all its verdicts; None if there is none."""
    found = _summaries(session, _inspections().where(InspectionRow.id == inspection_id))
    if not found:
        return None
    verdicts = select(VerdictRow).where(*_verdicts_of(found[0])).order_by(VerdictRow.ordinal)
    part_of = select(AlertOccurrenceRow.alert_id).where(AlertOccurrenceRow.inspection_id == inspection_id).distinct()
    return InspectionDetail(
        summary=found[0],
        verdicts=tuple(verdict(row) for row in session.scalars(verdicts)),
        alert_ids=tuple(sorted(session.scalars(part_of))),
    )


def inspections_of_file(session: ReadSession, sha256: str, digest: str) -> tuple[InspectionDetail, ...]:
    """What one bundle found in the captures of one file."""
    wanted = select(InspectionRow.id).join(CaptureRow).where(CaptureRow.sha256 == sha256)
    ids = session.scalars(wanted.where(InspectionRow.bundle_digest == digest)).all()
    return tuple(found for one in ids if (found := inspection(session, one)) is not None)


def inspection_line(session: ReadSession, inspection_id: str) -> InspectionSummary | None:
    """One inspection without its verdicts, of which an aerial image has very many; None if there is none."""
    found = _summaries(session, _inspections().where(InspectionRow.id == inspection_id))
    return found[0] if found else None


def inspection_lines(session: ReadSession, inspection_ids: Collection[str]) -> dict[str, InspectionSummary]:
    """Inspections without their verdicts, by id; those that exist."""
    return {one.id: one for one in _summaries(session, _inspections().where(InspectionRow.id.in_(inspection_ids)))}


def gravest(session: ReadSession, inspection_id: str, *, limit: int = 1) -> tuple[NumberedVerdict, ...]:
    """The verdicts that matter most: the capture's own first (see `Inspection.verdict`), then unknown, then defects."""
    of = inspection_line(session, inspection_id)
    if of is None:
        return ()
    refused = VerdictRow.label.is_(None) & (VerdictRow.reason != Reason.NOT_INSPECTED)
    defect = VerdictRow.label.is_not(None) & VerdictRow.label.is_distinct_from(of.normal)
    wanted = (
        select(VerdictRow)
        .where(*_verdicts_of(of))
        .order_by(
            case((VerdictRow.level == 0, 0), else_=1),
            case((refused, 0), (defect, 1), else_=2),
            VerdictRow.confidence.desc(),
            VerdictRow.ordinal,
        )
        .limit(limit)
    )
    return tuple(NumberedVerdict(row.ordinal, verdict(row)) for row in session.scalars(wanted))


def numbered(session: ReadSession, inspection_id: str, n: int) -> NumberedVerdict | None:
    """The verdict of the window with this number; None if there is none."""
    wanted = select(VerdictRow).where(VerdictRow.inspection_id == inspection_id, VerdictRow.ordinal == n)
    row = session.scalars(wanted).first()
    return None if row is None else NumberedVerdict(row.ordinal, verdict(row))


def alerts_of(session: ReadSession, inspection_id: str) -> tuple[AlertSummary, ...]:
    """The alerts an inspection is part of, the newest first."""
    part_of = select(AlertOccurrenceRow.alert_id).where(AlertOccurrenceRow.inspection_id == inspection_id)
    wanted = select(AlertRow).where(AlertRow.id.in_(part_of)).order_by(AlertRow.id.desc())
    return tuple(alert_summary(row) for row in session.scalars(wanted))


def jobs(
    session: ReadSession,
    *,
    states: Collection[JobState],
    sender: str | None = None,
    limit: int = 50,
    after: Cursor | None = None,
) -> Page[JobSummary]:
    """Jobs in these states, of a sender or of all, the newest first."""
    wanted = select(JobRow).options(joinedload(JobRow.source)).where(JobRow.state.in_(states))
    if set(states) <= set(NEEDS_A_PERSON):
        wanted = wanted.where(ENDED_BADLY)
    if sender is not None:
        wanted = wanted.where(JobRow.sender == sender)
    if after is not None:
        wanted = wanted.where(JobRow.id < after.number)
    rows = session.scalars(wanted.order_by(JobRow.id.desc()).limit(limit + 1)).all()
    return Page.cut(_job_summaries(session, rows), limit, lambda one: Cursor(one.created_at, str(one.id)))


def quarantine(session: ReadSession, *, limit: int = 50, after: Cursor | None = None) -> Page[JobSummary]:
    """Files that could not be inspected and need a person: quarantined and dead jobs, with their reasons."""
    return jobs(session, states=NEEDS_A_PERSON, limit=limit, after=after)


def job(session: ReadSession, job_id: int) -> JobSummary | None:
    """One job; None if there is none."""
    row = session.get(JobRow, job_id, options=[joinedload(JobRow.source)])
    return None if row is None else _job_summaries(session, [row])[0]


def places_of(session: ReadSession, sha256: str) -> tuple[str, ...]:
    """Where the watcher found a file, the newest place first."""
    wanted = (
        select(ReceiptRow.path)
        .where(ReceiptRow.sha256 == sha256, ReceiptRow.origin == "watch")
        .order_by(ReceiptRow.id.desc())
        .limit(20)
    )
    return tuple(dict.fromkeys(session.scalars(wanted)))


def health(session: ReadSession) -> Health:
    """How many jobs, alerts and messages are where, and how long the oldest wait."""
    counted = select(JobRow.state, func.count()).where(JobRow.state.in_(NOT_OVER)).group_by(JobRow.state)
    by_state = dict(session.execute(counted).tuples().all())
    live = select(AlertRow.severity, AlertRow.state, func.count()).where(IS_OPEN)
    by_severity = session.execute(live.group_by(AlertRow.severity, AlertRow.state)).all()
    queued = _queued(session)
    unsent, oldest_unsent = session.execute(select(func.count(), func.min(OutboxRow.created_at)).where(IS_UNSENT)).one()
    return Health(
        at=now(session),
        jobs={state: by_state.get(state, 0) for state in NOT_OVER},
        alerts={(severity, state): number for severity, state, number in by_severity},
        oldest_queued_at=min((since for of, (_, since) in queued.items() if of is not Priority.BACKFILL), default=None),
        unsent=unsent,
        oldest_unsent_at=oldest_unsent,
        queued=queued,
        given_up=session.scalar(select(func.count()).select_from(OutboxRow).where(IS_GIVEN_UP)) or 0,
        opened=opened_since(session, now(session) - SLOT),
    )


def _queued(session: ReadSession) -> dict[Priority, tuple[int, datetime]]:
    """How many wait at each priority, and since when the oldest does."""
    wanted = select(JobRow.priority, func.count(), func.min(JobRow.created_at)).where(JobRow.state == JobState.QUEUED)
    rows = session.execute(wanted.group_by(JobRow.priority)).tuples()
    by_rank = {priority.rank: priority for priority in Priority}
    return {by_rank[rank]: (number, since) for rank, number, since in rows}


def _verdicts_of(of: InspectionSummary) -> tuple[ColumnElement[bool], ...]:
    """Of one inspection, looked for in the partitions of its time alone.

    An hour of tolerance: while an upgrade is rolled out, processes of the version before write moments of their own.
    """
    around = timedelta(hours=1)
    near = VerdictRow.recorded_at.between(of.recorded_at - around, of.recorded_at + around)
    return VerdictRow.inspection_id == of.id, near


def _inspections() -> Select[InspectionRow, CaptureRow, SourceFileRow]:
    return (
        select(InspectionRow, CaptureRow, SourceFileRow)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .join(SourceFileRow, SourceFileRow.sha256 == CaptureRow.sha256)
    )


def _summaries(
    session: ReadSession, wanted: Select[InspectionRow, CaptureRow, SourceFileRow]
) -> tuple[InspectionSummary, ...]:
    return tuple(inspection_summary(*row) for row in session.execute(wanted))


def _job_summaries(session: ReadSession, rows: Sequence[JobRow]) -> tuple[JobSummary, ...]:
    found: dict[int, list[str]] = {row.id: [] for row in rows}
    made = select(InspectionRow.job_id, InspectionRow.id).where(InspectionRow.job_id.in_(found))
    for job_id, inspection_id in session.execute(made.order_by(InspectionRow.recorded_at, InspectionRow.id)):
        found[job_id].append(inspection_id)
    return tuple(job_summary(row, tuple(found[row.id])) for row in rows)
