"""Which troubles take most of people's attention: the «bad actors» of ISA-18.2 and EEMUA 191, and the alert rate."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, func, select

from models.domain.alert import AlertState
from services.records.alert_tables import AlertRow
from services.records.sightings import Session

SLOT = timedelta(minutes=10)
"""What alert rates are counted over."""


@dataclass(frozen=True, slots=True)
class BadActor:
    """A trouble that opened alerts again and again.

    Attributes:
        rule, pattern, product, step, tool: the trouble.
        alerts: opened in the time.
        findings: counted in them.
        false_alarms: closed as false.
        share: of all alerts of the time, 0..1.
        latest_id: its newest alert.
    """

    rule: str
    pattern: str
    product: str | None
    step: str | None
    tool: str | None
    alerts: int
    findings: int
    false_alarms: int
    share: float
    latest_id: int


@dataclass(frozen=True, slots=True)
class AlertRate:
    """How many alerts were opened per ten minutes.

    Attributes:
        slots: stretches of ten minutes looked at.
        mean: alerts in one of them.
        worst: most in one.
        over: slots above what people can answer.
        flooded: slots above what anybody can.
    """

    slots: int
    mean: float
    worst: int
    over: int
    flooded: int


def bad_actors(session: Session, since: datetime, *, limit: int = 10) -> tuple[BadActor, ...]:
    """The troubles with most alerts since a moment, ties by findings."""
    total = session.scalar(select(func.count()).where(AlertRow.first_seen >= since)) or 0
    alerts, findings = func.count(), func.sum(AlertRow.count)
    grouped = (
        select(
            AlertRow.rule,
            AlertRow.pattern,
            AlertRow.product,
            AlertRow.step,
            AlertRow.tool,
            alerts,
            findings,
            func.count(case((AlertRow.state == AlertState.FALSE_ALARM, 1))),
            func.max(AlertRow.id),
        )
        .where(AlertRow.first_seen >= since)
        .group_by(AlertRow.rule, AlertRow.pattern, AlertRow.product, AlertRow.step, AlertRow.tool)
        .order_by(alerts.desc(), findings.desc(), func.max(AlertRow.id))
        .limit(limit)
    )
    return tuple(
        BadActor(rule, pattern, product, step, tool, number, found, false, number / total, latest)
        for rule, pattern, product, step, tool, number, found, false, latest in session.execute(grouped).tuples()
    )


def opened_since(session: Session, since: datetime) -> int:
    """How many alerts were opened since a moment."""
    return session.scalar(select(func.count()).where(AlertRow.first_seen >= since)) or 0


def alert_rate(session: Session, since: datetime, until: datetime, *, budget: float, flood: float) -> AlertRate:
    """Alerts per ten minutes against what people can answer.

    Args:
        session: reads.
        since: from then on.
        until: before then.
        budget: alerts that all operators together can answer in ten minutes.
        flood: from which number on nobody can.
    """
    opened = session.scalars(
        select(AlertRow.first_seen).where(AlertRow.first_seen >= since, AlertRow.first_seen < until)
    )
    per_slot = Counter(int((at - since) / SLOT) for at in opened)
    slots = max(1, int((until - since) / SLOT))
    counts = per_slot.values()
    return AlertRate(
        slots=slots,
        mean=sum(counts) / slots,
        worst=max(counts, default=0),
        over=sum(count > budget for count in counts),
        flooded=sum(count > flood for count in counts),
    )
