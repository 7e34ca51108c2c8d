"""Rules about the model and the intake: what is asked of the records at a moment, live or in the past.

They concern no single capture (a tool that is silent adds no row), so the housekeeper asks, once in each period. The
period names the subject: however many housekeepers ask, a period counts once, and one that nobody asked in counts not.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select

from models.domain.alert import Alert, Fingerprint
from models.domain.verdict import Reason
from services.alerting.drift_rules import Drift, References, drifts
from services.alerting.occurrences import raise_alerts
from services.alerting.policy import AlertPolicy
from services.alerting.rule_kinds import DriftRule, HealthRule, IntakeRule, ModelRule
from services.records.session import Database, now
from services.records.sightings import Session
from services.records.tables import InspectionRow, JobRow, JobState


class HealthWatch:
    """Asks each rule about health once in each of its periods, as far as this process knows."""

    def __init__(
        self,
        database: Database,
        alerting: AlertPolicy,
        references: References = lambda _: None,
        tell: Callable[[Drift], None] = lambda _: None,
    ) -> None:
        """Prepare; nothing is asked yet.

        Args:
            database: whose records are asked.
            alerting: the rules, and who hears of alerts.
            references: what drift is measured against.
            tell: hears of each measured drift, also of the harmless ones.
        """
        self._database, self._alerting = database, alerting
        self._references, self._tell = references, tell
        self._asked: dict[str, int] = {}

    def look(self) -> None:
        """Ask what is due, and raise what is wrong.

        Raises:
            RetryableError: the database is away; what was due is asked at the next look.
        """
        for rule in self._alerting.rules.of(HealthRule):
            with self._database.read() as session:
                moment = now(session)
                if self._asked.get(rule.name) == period(rule, moment):
                    continue
                alerts = judge_health(session, rule, moment, self._references, self._tell)
            if alerts:
                with self._database.write() as session:
                    raise_alerts(session, alerts, at=moment, channels=self._alerting.channels)
            self._asked[rule.name] = period(rule, moment)


def period(rule: HealthRule, at: datetime) -> int:
    """Number of the period a moment lies in."""
    return int(at.timestamp() // (60 * rule.every_min))


def judge_health(
    session: Session,
    rule: HealthRule,
    at: datetime,
    references: References = lambda _: None,
    tell: Callable[[Drift], None] = lambda _: None,
) -> list[Alert]:
    """What a rule raises at a moment; drift is measured where there are references."""
    match rule:
        case DriftRule():
            return list(_drift(session, rule, at, references, tell))
        case ModelRule():
            return list(_model(session, rule, at))
        case IntakeRule(signal="tool silent"):
            return list(_silent_tools(session, rule, at))
        case IntakeRule(signal="backlog"):
            return list(_backlog(session, rule, at))
        case IntakeRule():
            return list(_set_aside(session, rule, at))
    raise TypeError(f"not a rule about health: {type(rule).__name__}")


def _model(session: Session, rule: ModelRule, at: datetime) -> Iterator[Alert]:
    """Bundles whose newest captures are too often refused a label."""
    newest = (
        select(
            InspectionRow.bundle_name,
            InspectionRow.bundle_version,
            InspectionRow.label,
            InspectionRow.reason,
            InspectionRow.recorded_at,
        )
        .where(InspectionRow.recorded_at <= at, InspectionRow.reason != Reason.NOT_INSPECTED)
        .order_by(InspectionRow.recorded_at.desc(), InspectionRow.id.desc())
        .limit(rule.last)
    )
    refused: defaultdict[str, list[bool]] = defaultdict(list)
    latest: dict[str, datetime] = {}
    for name, version, label, reason, recorded_at in session.execute(newest).tuples():
        bundle = f"{name} v{version}"
        refused[bundle].append(label is None and (rule.signal == "unknown" or reason is Reason.UNSURE))
        latest.setdefault(bundle, recorded_at)
    for bundle, flags in refused.items():
        share = sum(flags) / len(flags)
        is_in_use = latest[bundle] > at - timedelta(minutes=rule.every_min)
        if is_in_use and len(flags) >= rule.smallest and share >= rule.share:
            title = f"{share:.0%} of the last {len(flags)} captures {rule.signal} · {bundle}"
            yield _alert(rule, Fingerprint(rule.name, bundle), at, title)


def _drift(
    session: Session, rule: DriftRule, at: datetime, references: References, tell: Callable[[Drift], None]
) -> Iterator[Alert]:
    for drift in drifts(session, rule, at, references):
        tell(drift)
        moved = drift.beyond(rule)
        if moved:
            worst = min(moved, key=lambda what: (moved[what].p_value, -moved[what].size))
            others = f" and {len(moved) - 1} more" if len(moved) > 1 else ""
            title = f"{worst}{others} moved within {drift.captures} captures · {drift.bundle}"
            yield _alert(rule, Fingerprint(rule.name, drift.bundle), at, f"{title[0].upper()}{title[1:]}")


def _silent_tools(session: Session, rule: IntakeRule, at: datetime) -> Iterator[Alert]:
    heard = (
        select(InspectionRow.tool, func.max(InspectionRow.recorded_at, type_=InspectionRow.recorded_at.type))
        .where(InspectionRow.recorded_at > at - timedelta(hours=rule.memory_h), InspectionRow.recorded_at <= at)
        .where(InspectionRow.tool.is_not(None))
        .group_by(InspectionRow.tool)
    )
    for tool, last in session.execute(heard).tuples():
        quiet = at - last
        if quiet >= timedelta(minutes=rule.after_min) and rule.where.covers(None, None, tool):
            title = f"Nothing for {quiet.total_seconds() / 3600:.0f} h · {tool}"
            yield _alert(rule, Fingerprint(rule.name, rule.signal, tool=tool), at, title)


def _backlog(session: Session, rule: IntakeRule, at: datetime) -> Iterator[Alert]:
    waiting = select(func.min(JobRow.created_at), func.count()).where(
        JobRow.created_at <= at, JobRow.finished_at.is_(None) | (JobRow.finished_at > at)
    )
    oldest, number = session.execute(waiting).one()
    if oldest is not None and at - oldest >= timedelta(minutes=rule.after_min):
        minutes = (at - oldest).total_seconds() / 60
        title = f"{number} files wait, the oldest for {minutes:.0f} min"
        yield _alert(rule, Fingerprint(rule.name, rule.signal), at, title)


def _set_aside(session: Session, rule: IntakeRule, at: datetime) -> Iterator[Alert]:
    ended = select(JobRow.state, JobRow.finished_at).where(JobRow.finished_at <= at).order_by(JobRow.finished_at.desc())
    found = session.execute(ended.limit(rule.last)).tuples().all()
    bad = sum(state in (JobState.QUARANTINED, JobState.DEAD) for state, _ in found)
    is_fresh = bool(found) and found[0][1] is not None and found[0][1] > at - timedelta(minutes=rule.every_min)
    if is_fresh and len(found) >= rule.smallest and bad / len(found) >= rule.share:
        title = f"{bad} of the last {len(found)} files could not be inspected"
        yield _alert(rule, Fingerprint(rule.name, rule.signal), at, title)


def _alert(rule: HealthRule, fingerprint: Fingerprint, at: datetime, title: str) -> Alert:
    subject = hashlib.sha256(f"{fingerprint.key}:{rule.every_min}:{period(rule, at)}".encode()).hexdigest()
    return Alert(fingerprint, subject, rule.severity, title, rule.action, quiet=rule.quiet)
