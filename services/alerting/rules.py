"""Rules for single captures: pure functions from what was seen to alerts. Rules read verdicts and never change one."""

from collections.abc import Iterator
from datetime import UTC, datetime

from models.domain.alert import Alert, Fingerprint
from models.domain.inspection import Inspection
from models.domain.verdict import Reason
from services.alerting.rule_file import Rules, shipped_rules
from services.alerting.rule_kinds import NoveltyRule, PatternRule, RuleBase
from services.records.sightings import Sighting, sighting_of

_TITLES = {Reason.NOVEL: "Unknown pattern", Reason.UNSURE: "Pattern between known classes"}


def evaluate(inspection: Inspection, rules: Rules | None = None) -> tuple[Alert, ...]:
    """All alerts of an inspection that concern it alone: one per pattern, and one if something unknown was found."""
    return judge(sighting_of(inspection, datetime.now(UTC)), rules or shipped_rules())


def judge(seen: Sighting, rules: Rules) -> tuple[Alert, ...]:
    """The same of what was seen, live or from the records."""
    return (*_patterns(seen, rules), *_novelty(seen, rules))


def alert_of(rule: RuleBase, seen: Sighting, pattern: str, title: str, *, by_product: bool = True) -> Alert:
    """What a rule raises of a capture."""
    place = seen.place
    return Alert(
        fingerprint=Fingerprint(rule.name, pattern, place.product if by_product else None, place.step, place.tool),
        subject=seen.capture_id,
        severity=rule.severity,
        title=f"{title} · {place}" if str(place) else title,
        action=rule.action,
        inspection_id=seen.inspection_id,
        quiet=rule.quiet,
    )


def _patterns(seen: Sighting, rules: Rules) -> Iterator[Alert]:
    """Known defect classes stated with confidence; for each the first rule that takes it."""
    for label, confidence in sorted(seen.shown.items()):
        for rule in rules.of(PatternRule):
            if _takes(rule, seen, label, confidence):
                yield alert_of(rule, seen, label, label)
                break


def _takes(rule: PatternRule, seen: Sighting, label: str, confidence: float) -> bool:
    wanted = label in rule.labels if rule.labels else label not in rule.except_
    return wanted and confidence >= rule.min_confidence and covers(rule, seen)


def _novelty(seen: Sighting, rules: Rules) -> Iterator[Alert]:
    """Windows that were refused a label. Strange ones weigh more than ones between two known classes."""
    reason = Reason.NOVEL if Reason.NOVEL in seen.refused else Reason.UNSURE
    if reason not in seen.refused:
        return
    for rule in rules.of(NoveltyRule):
        if rule.reason is reason and covers(rule, seen):
            yield alert_of(rule, seen, reason.value, _TITLES[reason])
            return


def covers(rule: RuleBase, seen: Sighting) -> bool:
    """Whether a rule is for captures from there."""
    return rule.where.covers(seen.place.product, seen.place.step, seen.place.tool)
