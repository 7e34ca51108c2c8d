"""What rules would have raised on recorded history: the same pure functions over the same rows.

Left out is what no row tells: files refused at the door, silences, and what people closed meanwhile. A trouble is told
when it begins and once per window after that, as if nobody acknowledged. Rules over several captures know nothing from
before the beginning: take a stretch that is longer than their baseline.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from models.domain.alert import Alert, Severity
from models.domain.errors import Complaint
from services.alerting.health_rules import judge_health
from services.alerting.intake_rules import file_alert
from services.alerting.rule_file import Rules
from services.alerting.rule_kinds import FileEvent, HealthRule, StreamRule
from services.alerting.rules import covers, judge
from services.alerting.streams import judge_stream
from services.records.session import ReadSession
from services.records.sightings import Place, Sighting, sightings
from services.records.tables import JobRow, JobState

Progress = Callable[[int, int], None]
Finding = tuple[datetime, Alert]


@dataclass(frozen=True, slots=True)
class Fired:
    """One trouble that would have been an alert.

    Attributes:
        rule, pattern, product, step, tool: what is grouped.
        severity: how soon.
        title: of its first finding.
        findings: captures, files or periods that show it.
        told: messages to each channel, had nobody acknowledged.
        first, last: when.
    """

    rule: str
    pattern: str
    product: str | None
    step: str | None
    tool: str | None
    severity: Severity
    title: str
    findings: int
    told: int
    first: datetime
    last: datetime


def replay(
    session: ReadSession,
    rules: Rules,
    since: datetime,
    until: datetime,
    progress: Progress = lambda *_: None,
) -> tuple[Fired, ...]:
    """All troubles of a stretch of time, those with most findings first.

    Args:
        session: reads.
        rules: the rules to try.
        since: from then on, UTC.
        until: before then.
        progress: told of the steps done, in all.
    """
    steps = 3 + len(rules.of(HealthRule))
    seen = list(sightings(session, since, until))
    progress(1, steps)
    found: list[Finding] = [(one.at, alert) for one in seen for alert in judge(one, rules)]
    found += _of_streams(seen, rules)
    progress(2, steps)
    found += _of_files(session, rules, since, until)
    progress(3, steps)
    for done, rule in enumerate(rules.of(HealthRule)):
        pause = timedelta(minutes=rule.every_min)
        for number in range(1, int((until - since) / pause) + 1):
            moment = since + number * pause
            found += [(moment, alert) for alert in judge_health(session, rule, moment)]
        progress(4 + done, steps)
    return _grouped(found)


def _of_streams(seen: list[Sighting], rules: Rules) -> Iterator[Finding]:
    times = {one.capture_id: one.at for one in seen}
    for rule in rules.of(StreamRule):
        streams: defaultdict[Place, list[Sighting]] = defaultdict(list)
        for one in seen:
            if covers(rule, one):
                place = one.place if rule.by_product else Place(None, one.place.step, one.place.tool)
                streams[place].append(one)
        for series in streams.values():
            yield from ((times[alert.subject], alert) for alert in judge_stream(rule, series))


def _of_files(session: ReadSession, rules: Rules, since: datetime, until: datetime) -> Iterator[Finding]:
    events = {JobState.QUARANTINED: FileEvent.QUARANTINE, JobState.DEAD: FileEvent.DEAD}
    wanted = select(JobRow).options(joinedload(JobRow.source)).where(JobRow.state.in_(events))
    for row in session.scalars(wanted.where(JobRow.finished_at >= since, JobRow.finished_at < until)):
        assert row.finished_at is not None
        alert = file_alert(
            rules,
            events[row.state],
            row.error_code or "unexpected",
            Complaint(row.error_what or ""),
            file_name=row.source.name,
            subject=row.sha256,
        )
        yield row.finished_at, alert


def _grouped(found: list[Finding]) -> tuple[Fired, ...]:
    groups: defaultdict[str, list[Finding]] = defaultdict(list)
    counted = set()
    for at, alert in sorted(found, key=lambda one: one[0]):
        key = alert.fingerprint.key
        if (key, alert.subject) not in counted:
            counted.add((key, alert.subject))
            groups[key].append((at, alert))
    return tuple(sorted((_fired(group) for group in groups.values()), key=lambda one: (-one.findings, one.title)))


def _fired(group: list[Finding]) -> Fired:
    (first, alert), (last, _) = group[0], group[-1]
    told_at, told = first, 1
    for at, _ in group:
        if at >= told_at + alert.quiet.window:
            told_at, told = at, told + 1
    of = alert.fingerprint
    return Fired(
        of.rule, of.pattern, of.product, of.step, of.tool, alert.severity, alert.title, len(group), told, first, last
    )
