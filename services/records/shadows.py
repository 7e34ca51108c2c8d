"""What challengers said, and how bundles do along their routes: for pages, API and command line."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, case, cast, func, select

from models.domain.capture import Capture
from models.domain.inspection import BundleRef
from models.domain.verdict import Reason
from services.records.reading import capture
from services.records.route_tables import RouteFailureRow, ShadowOutcome, ShadowRow
from services.records.session import ReadSession
from services.records.tables import CaptureRow, InspectionRow
from services.records.views import Cursor, Page

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class WindowDifference:
    """A window that two bundles label differently; `n` is its number in the order they were cut."""

    n: int
    champion: str
    challenger: str


@dataclass(frozen=True, slots=True)
class ShadowLook:
    """A challenger's look at a capture, beside what the champion stated.

    Attributes:
        inspection_id: the champion's inspection.
        route: of the challenger.
        champion_label: of the whole capture, None = unknown; likewise `challenger_label`.
        challenger: None until it has judged.
        windows: that both judged; None if they cut the capture differently, or not yet.
        windows_differing: of those, with another label.
        differences: the first of those.
        error_code: why the challenger could not judge, if it could not.
    """

    id: int
    inspection_id: str
    capture: Capture
    route: str
    outcome: ShadowOutcome
    asked_at: datetime
    judged_at: datetime | None
    champion: BundleRef
    champion_label: str | None
    challenger: BundleRef | None
    challenger_label: str | None
    challenger_confidence: float | None
    challenger_novelty: float | None
    windows: int | None
    windows_differing: int | None
    differences: tuple[WindowDifference, ...]
    error_code: str | None


@dataclass(frozen=True, slots=True)
class ShadowCount:
    """How often a challenger was asked, and what came of it.

    Attributes:
        route: of the challenger.
        champion: bundle that was compared with.
        outcomes: looks by outcome; those that wait are of no champion in particular but of its inspections.
        words: looks that were answered, by the champion's word on the capture and the challenger's.
    """

    route: str
    champion: BundleRef
    outcomes: Mapping[ShadowOutcome, int]
    words: Mapping[tuple[str, str], int]

    @property
    def disagreement(self) -> float | None:
        """Share of the answered looks that disagreed; None if none was answered."""
        answered = [self.outcomes.get(one, 0) for one in (ShadowOutcome.AGREED, ShadowOutcome.DISAGREED)]
        return answered[1] / sum(answered) if sum(answered) else None


@dataclass(frozen=True, slots=True)
class RouteCount:
    """What a bundle made of the captures that a rule sent along a route."""

    rule: str
    route: str
    bundle: BundleRef
    captures: int
    novel: int
    unknown: int
    failed: int
    first_at: datetime
    last_at: datetime


def shadow_looks(
    session: ReadSession,
    *,
    outcome: ShadowOutcome | None = ShadowOutcome.DISAGREED,
    route: str | None = None,
    limit: int = 50,
    after: Cursor | None = None,
) -> Page[ShadowLook]:
    """Looks of challengers, the last asked for first; by default those that disagreed."""
    given: list[ColumnElement[bool]] = []
    if outcome is not None:
        given.append(ShadowRow.outcome == outcome)
    if route is not None:
        given.append(ShadowRow.route == route)
    if after is not None:
        given.append(ShadowRow.id < after.number)
    wanted = (
        select(ShadowRow, InspectionRow, CaptureRow)
        .join(InspectionRow, InspectionRow.id == ShadowRow.inspection_id)
        .join(CaptureRow, CaptureRow.id == InspectionRow.capture_id)
        .where(*given)
        .order_by(ShadowRow.id.desc())
        .limit(limit + 1)
    )
    rows = session.execute(wanted).tuples().all()
    end = Cursor(rows[limit - 1][0].asked_at, str(rows[limit - 1][0].id)) if len(rows) > limit else None
    return Page(tuple(_look(*row) for row in rows[:limit]), end)


def shadow_counts(session: ReadSession, *, since: datetime) -> tuple[ShadowCount, ...]:
    """Looks asked for since a moment, by challenger's route and champion's bundle."""
    champion_word = func.coalesce(InspectionRow.label, _refusal(InspectionRow.reason.expression))
    challenger_word = func.coalesce(ShadowRow.label, _refusal(ShadowRow.reason.expression))
    bundle = (InspectionRow.bundle_name, InspectionRow.bundle_version, InspectionRow.bundle_digest)
    rows = session.execute(
        select(ShadowRow.route, *bundle, ShadowRow.outcome, champion_word, challenger_word, func.count())
        .join(InspectionRow, InspectionRow.id == ShadowRow.inspection_id)
        .where(ShadowRow.asked_at >= since)
        .group_by(ShadowRow.route, *bundle, ShadowRow.outcome, champion_word, challenger_word)
    ).tuples()
    outcomes: dict[tuple[str, BundleRef], dict[ShadowOutcome, int]] = {}
    words: dict[tuple[str, BundleRef], dict[tuple[str, str], int]] = {}
    for route, name, version, digest, outcome, champion, challenger, number in rows:
        key = (route, BundleRef(name, version, digest))
        counted = outcomes.setdefault(key, {})
        counted[outcome] = counted.get(outcome, 0) + number
        pairs = words.setdefault(key, {})
        if outcome in (ShadowOutcome.AGREED, ShadowOutcome.DISAGREED):
            pairs[champion, challenger] = pairs.get((champion, challenger), 0) + number
    return tuple(ShadowCount(*key, outcomes[key], words[key]) for key in sorted(outcomes, key=str))


def route_counts(session: ReadSession, *, since: datetime) -> tuple[RouteCount, ...]:
    """Captures judged by rule since a moment, by rule, route and bundle: a canary beside its champion."""
    refused = InspectionRow.label.is_(None) & (InspectionRow.reason != Reason.NOT_INSPECTED)
    key = (InspectionRow.rule, InspectionRow.route, InspectionRow.bundle_digest)
    rows = session.execute(
        select(
            *key,
            func.max(InspectionRow.bundle_name),
            func.max(InspectionRow.bundle_version),
            func.count(),
            func.sum(cast(refused & (InspectionRow.reason == Reason.NOVEL), Integer)),
            func.sum(cast(refused, Integer)),
            func.min(InspectionRow.recorded_at),
            func.max(InspectionRow.recorded_at),
        )
        .where(InspectionRow.rule.is_not(None), InspectionRow.recorded_at >= since)
        .group_by(*key)
        .order_by(*key)
    ).tuples()
    failed = {
        (rule, digest): number
        for rule, digest, number in session.execute(
            select(RouteFailureRow.rule, RouteFailureRow.bundle_digest, func.count())
            .where(RouteFailureRow.at >= since)
            .group_by(RouteFailureRow.rule, RouteFailureRow.bundle_digest)
        ).tuples()
    }
    return tuple(
        RouteCount(
            rule=rule or "",
            route=route or "",
            bundle=BundleRef(name, version, digest),
            captures=captures,
            novel=novel,
            unknown=unknown,
            failed=failed.get((rule or "", digest), 0),
            first_at=first,
            last_at=last,
        )
        for rule, route, digest, name, version, captures, novel, unknown, first, last in rows
    )


def _refusal(reason: ColumnElement[Any]) -> ColumnElement[str]:
    return case((reason == Reason.NOT_INSPECTED, Reason.NOT_INSPECTED.value), else_=UNKNOWN)


def _look(row: ShadowRow, inspection: InspectionRow, of: CaptureRow) -> ShadowLook:
    challenger = None
    if row.bundle_digest is not None:
        challenger = BundleRef(row.bundle_name or "", row.bundle_version or "", row.bundle_digest)
    return ShadowLook(
        id=row.id,
        inspection_id=row.inspection_id,
        capture=capture(of),
        route=row.route,
        outcome=row.outcome,
        asked_at=row.asked_at,
        judged_at=row.judged_at,
        champion=BundleRef(inspection.bundle_name, inspection.bundle_version, inspection.bundle_digest),
        champion_label=inspection.label,
        challenger=challenger,
        challenger_label=row.label,
        challenger_confidence=row.confidence,
        challenger_novelty=row.novelty,
        windows=row.windows,
        windows_differing=row.windows_differing,
        differences=tuple(WindowDifference(one["n"], one["champion"], one["challenger"]) for one in row.differences),
        error_code=row.error_code,
    )
