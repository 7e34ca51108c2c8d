"""Shadows as rows: asked for in the transaction of an inspection, taken up when nothing else waits, answered once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, update

from models.domain.inspection import Inspection
from models.domain.verdict import Verdict
from services.records.route_tables import ShadowOutcome, ShadowRow
from services.records.session import WriteSession, now
from services.records.tables import CaptureRow, InspectionRow, SourceFileRow
from services.records.upsert import insert_new

MOST_WAITING = 1000
"""More than that production has no time for: further looks are skipped, and counted."""
MOST_TRIES = 3
LEASE = timedelta(minutes=15)
"""A worker that takes longer is given up for dead; a second look at a capture does no harm."""
DIFFERENCES_KEPT = 50


@dataclass(frozen=True, slots=True)
class ShadowTask:
    """A look that a challenger owes.

    Attributes:
        id: of the row.
        inspection_id: what it is compared with.
        capture_id: the capture.
        sha256: its file in the spool.
        file_name: the name that came with.
        route: of the challenger.
    """

    id: int
    inspection_id: str
    capture_id: str
    sha256: str
    file_name: str
    route: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two inspections of one capture.

    Attributes:
        agrees: same verdict on the capture, and on every window where both cut it the same way.
        windows: that both judged; None if they cut it differently.
        differing: windows with another label.
        differences: the first of those: number, one label, the other.
    """

    agrees: bool
    windows: int | None
    differing: int | None
    differences: tuple[tuple[int, str, str], ...] = ()


def compare(champion: Inspection, challenger: Inspection) -> Comparison:
    """Hold a challenger's inspection of a capture against the one that counts."""
    same_whole = word_of(champion.verdict) == word_of(challenger.verdict)
    if [one.window for one in champion.verdicts] != [one.window for one in challenger.verdicts]:
        return Comparison(same_whole, None, None)
    words = ((word_of(one), word_of(other)) for one, other in zip(champion.verdicts, challenger.verdicts, strict=True))
    differing = [(n, one, other) for n, (one, other) in enumerate(words) if one != other]
    agrees = same_whole and not differing
    return Comparison(agrees, len(champion.verdicts), len(differing), tuple(differing[:DIFFERENCES_KEPT]))


def word_of(verdict: Verdict) -> str:
    """What a verdict says, in one word; several patterns on one window are joined."""
    if verdict.label is None:
        return "unknown" if verdict.is_unknown else verdict.reason.value
    return " + ".join((verdict.label, *sorted(verdict.also)))


def ask_shadow(session: WriteSession, inspection_id: str, route: str, at: datetime) -> None:
    """Have a challenger look at what was just inspected, later."""
    waiting = select(ShadowRow.id).where(ShadowRow.outcome == ShadowOutcome.WAITING).limit(MOST_WAITING)
    is_crowded = (session.scalar(select(func.count()).select_from(waiting.subquery())) or 0) >= MOST_WAITING
    insert_new(
        session,
        ShadowRow,
        ShadowRow.inspection_id,
        ShadowRow.route,
        inspection_id=inspection_id,
        route=route,
        outcome=ShadowOutcome.SKIPPED if is_crowded else ShadowOutcome.WAITING,
        asked_at=at,
        judged_at=at if is_crowded else None,
        attempts=0,
        differences=[],
    )


def claim_shadow(session: WriteSession) -> ShadowTask | None:
    """Take up the oldest look that nobody works on; None if there is none."""
    moment = now(session)
    row = session.scalars(
        select(ShadowRow)
        .where(
            ShadowRow.outcome == ShadowOutcome.WAITING,
            ShadowRow.lease_until.is_(None) | (ShadowRow.lease_until <= moment),
        )
        .order_by(ShadowRow.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    ).first()
    if row is None:
        return None
    row.lease_until, row.attempts = moment + LEASE, row.attempts + 1
    if row.attempts > MOST_TRIES:  # it may be what kills its workers
        row.outcome, row.error_code, row.judged_at = ShadowOutcome.FAILED, "worker-silent", moment
        return None
    session.flush()
    capture_id, sha256, name = session.execute(
        select(CaptureRow.id, SourceFileRow.sha256, SourceFileRow.name)
        .join(InspectionRow, InspectionRow.capture_id == CaptureRow.id)
        .join(SourceFileRow, SourceFileRow.sha256 == CaptureRow.sha256)
        .where(InspectionRow.id == row.inspection_id)
    ).one()
    return ShadowTask(row.id, row.inspection_id, capture_id, sha256, name, row.route)


def answer(session: WriteSession, task: ShadowTask, challenger: Inspection, found: Comparison) -> ShadowOutcome:
    """Write what the challenger said."""
    outcome = ShadowOutcome.AGREED if found.agrees else ShadowOutcome.DISAGREED
    whole = challenger.verdict
    _settle(
        session,
        task,
        outcome=outcome,
        bundle_name=challenger.bundle.name,
        bundle_version=challenger.bundle.version,
        bundle_digest=challenger.bundle.digest,
        label=whole.label,
        confidence=whole.confidence,
        novelty=whole.novelty,
        reason=whole.reason,
        windows=found.windows,
        windows_differing=found.differing,
        differences=[{"n": n, "champion": one, "challenger": other} for n, one, other in found.differences],
    )
    return outcome


def fail_shadow(session: WriteSession, task: ShadowTask, code: str) -> None:
    """The challenger could not judge it."""
    _settle(session, task, outcome=ShadowOutcome.FAILED, error_code=code)


def put_back(session: WriteSession, task: ShadowTask, pause_s: float) -> None:
    """Production needs the worker, or the challenger is down: another time; the try does not count."""
    again_at = now(session) + timedelta(seconds=pause_s)
    waiting = update(ShadowRow).where(ShadowRow.id == task.id, ShadowRow.outcome == ShadowOutcome.WAITING)
    session.execute(waiting.values(lease_until=again_at, attempts=ShadowRow.attempts - 1))


def _settle(session: WriteSession, task: ShadowTask, **values: object) -> None:
    waiting = update(ShadowRow).where(ShadowRow.id == task.id, ShadowRow.outcome == ShadowOutcome.WAITING)
    session.execute(waiting.values(lease_until=None, judged_at=now(session), **values))
