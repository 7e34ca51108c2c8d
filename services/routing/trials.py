"""Bundles on trial: what they made of the captures they were given, beside or after the bundle they would replace."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session

from models.domain.capture import Capture
from models.domain.errors import WaferwatchError
from models.domain.verdict import Reason
from services.records.route_tables import RouteFailureRow
from services.records.session import WriteSession, now
from services.records.tables import InspectionRow
from services.records.upsert import insert_new
from services.routing.guarding import Tally, Trial, Trouble
from services.routing.lane import Lane
from services.routing.routing import Rule

PAST_CAPTURES = 2000
"""How much of the past a tool or a release is held against; the trial of a release ends after as many of its own."""


@dataclass(frozen=True, slots=True)
class Stint:
    """A bundle on a route."""

    route: str
    digest: str
    version: str


def note_failure(
    session: WriteSession, job_id: int, capture: Capture, lane: Lane, *, digest: str, error: Exception
) -> None:
    """Write down that a bundle could not judge a capture; again is the same failure."""
    insert_new(
        session,
        RouteFailureRow,
        RouteFailureRow.capture_id,
        RouteFailureRow.rule,
        RouteFailureRow.bundle_digest,
        capture_id=capture.id,
        rule=lane.rule,
        bundle_digest=digest,
        route=lane.route,
        tool=capture.provenance.tool,
        job_id=job_id,
        at=now(session),
        code=error.code if isinstance(error, WaferwatchError) else "unexpected",
    )


def canary_trials(session: Session, rule: Rule, since: datetime, canary: Stint) -> Iterator[Trial]:
    """What a rule's canary is held to; each day anew, so that a jump after weeks without one is seen as soon.

    Args:
        session: reads.
        rule: with a canary.
        since: when the canary began.
        canary: the bundle its route means now; captures of another one before it do not count.
    """
    assert rule.canary is not None
    first = _first_seen(session, rule.name, canary, since)
    if first is None:
        return
    began = max(first, now(session).replace(hour=0, minute=0, second=0, microsecond=0))
    new = _by_tool(session, rule.name, canary.route, began, canary.digest)
    old = _by_tool(session, rule.name, rule.route, began, None)
    whole_tools = {tool for tool in (*new, *old) if rule.canary.is_of(tool)}
    if rule.canary.share is not None:
        yield Trial(_sum(new, whole_tools), _sum(old, whole_tools), rule.canary.share)
    for tool in sorted(one for one in whole_tools if one is not None):
        yield Trial(new.get(tool, Tally()), _past(session, rule, first, tool))


def release_trial(session: Session, rule: Rule, champion: Stint) -> tuple[Trial, Stint] | None:
    """What a released champion is held to, and the champion before it; None if there is none, or if it is settled."""
    began = _first_seen(session, rule.name, champion, None)
    if began is None:
        return None
    before = session.execute(
        select(InspectionRow.bundle_digest, InspectionRow.bundle_version)
        .where(
            InspectionRow.rule == rule.name,
            InspectionRow.route == rule.route,
            InspectionRow.bundle_digest != champion.digest,
            InspectionRow.recorded_at < began,
        )
        .order_by(InspectionRow.recorded_at.desc())
        .limit(1)
    ).first()
    if before is None:
        return None
    new = _sum(_by_tool(session, rule.name, rule.route, began, champion.digest))
    if new.captures > PAST_CAPTURES:
        return None
    old = _past(session, rule, began, None, before[0])
    return Trial(new, old), Stint(rule.route, before[0], before[1])


def _first_seen(session: Session, rule: str, stint: Stint, since: datetime | None) -> datetime | None:
    """When a bundle first judged or failed by a rule.

    Counts begin behind it: that capture was not drawn, but waited for.
    """
    judged = select(func.min(InspectionRow.recorded_at)).where(
        InspectionRow.rule == rule, InspectionRow.route == stint.route, InspectionRow.bundle_digest == stint.digest
    )
    failed = select(func.min(RouteFailureRow.at)).where(
        RouteFailureRow.rule == rule, RouteFailureRow.bundle_digest == stint.digest
    )
    if since is not None:
        judged = judged.where(InspectionRow.recorded_at >= since)
        failed = failed.where(RouteFailureRow.at >= since)
    found = [moment for moment in (session.scalar(judged), session.scalar(failed)) if moment is not None]
    return min(found, default=None)


def _by_tool(
    session: Session, rule: str, route: str, after: datetime, digest: str | None
) -> Mapping[str | None, Tally]:
    """Captures of a route behind a moment, by tool; tools are few, and patterns of names are not SQL's to match."""
    refused = InspectionRow.label.is_(None) & (InspectionRow.reason != Reason.NOT_INSPECTED)
    counted = (
        select(
            InspectionRow.tool,
            func.count(),
            func.sum(cast(refused & (InspectionRow.reason == Reason.NOVEL), Integer)),
            func.sum(cast(refused, Integer)),
        )
        .where(InspectionRow.rule == rule, InspectionRow.route == route, InspectionRow.recorded_at > after)
        .group_by(InspectionRow.tool)
    )
    failures = (
        select(RouteFailureRow.tool, func.count())
        .where(RouteFailureRow.rule == rule, RouteFailureRow.route == route, RouteFailureRow.at > after)
        .group_by(RouteFailureRow.tool)
    )
    if digest is not None:
        counted = counted.where(InspectionRow.bundle_digest == digest)
        failures = failures.where(RouteFailureRow.bundle_digest == digest)
    failed = dict(session.execute(failures).tuples().all())
    tallies = {
        tool: _tally(captures, novel, unknown, failed.pop(tool, 0))
        for tool, captures, novel, unknown in session.execute(counted).tuples()
    }
    return tallies | {tool: _tally(0, 0, 0, number) for tool, number in failed.items()}


def _past(session: Session, rule: Rule, until: datetime, tool: str | None, digest: str | None = None) -> Tally:
    """The last captures of a rule's own route before a moment: of one tool, or of one bundle."""
    refused = InspectionRow.label.is_(None) & (InspectionRow.reason != Reason.NOT_INSPECTED)
    recent = select(refused.label("refused"), (InspectionRow.reason == Reason.NOVEL).label("novel")).where(
        InspectionRow.rule == rule.name, InspectionRow.route == rule.route, InspectionRow.recorded_at < until
    )
    failures = select(func.count()).where(
        RouteFailureRow.rule == rule.name, RouteFailureRow.route == rule.route, RouteFailureRow.at < until
    )
    if tool is not None:
        recent = recent.where(InspectionRow.tool == tool)
        failures = failures.where(RouteFailureRow.tool == tool)
    if digest is not None:
        recent = recent.where(InspectionRow.bundle_digest == digest)
        failures = failures.where(RouteFailureRow.bundle_digest == digest)
    last = recent.order_by(InspectionRow.recorded_at.desc()).limit(PAST_CAPTURES).subquery()
    captures, novel, unknown = session.execute(
        select(func.count(), func.sum(cast(last.c.novel, Integer)), func.sum(cast(last.c.refused, Integer)))
    ).one()
    failed = session.scalar(failures) or 0
    return _tally(captures, novel, unknown, min(failed, captures))


def _tally(captures: int, novel: int | None, unknown: int | None, failed: int) -> Tally:
    troubles = {Trouble.NOVEL: novel or 0, Trouble.UNKNOWN: unknown or 0, Trouble.FAILED: failed}
    return Tally(captures + failed, troubles)


def _sum(tallies: Mapping[str | None, Tally], without: Collection[str | None] = ()) -> Tally:
    """All tallies, but not those of some tools."""
    chosen = [tally for tool, tally in tallies.items() if tool not in without]
    troubles = {trouble: sum(tally.count(trouble) for tally in chosen) for trouble in Trouble}
    return Tally(sum(tally.captures for tally in chosen), troubles)
