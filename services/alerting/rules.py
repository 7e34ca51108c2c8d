"""Which inspections become alerts: pure functions, one per rule. Rules read verdicts and never change one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from models.domain.alert import Alert, Fingerprint, Severity
from models.domain.inspection import Inspection
from models.domain.verdict import Reason, Verdict

LOOK = "Look at the map; if the pattern is real, hold the lot and check the tool."
UNKNOWN_LOOK = "Look at the map; say what it is on the page, so that the next model knows it."


@dataclass(frozen=True, slots=True)
class Rules:
    """What an installation wants to hear of.

    Attributes:
        min_confidence: least confidence of a known defect class.
        severities: of patterns that are not a plain warning.
        actions: what the operator should do about a pattern, where it is not `LOOK`.
        quiet: labels nobody wants to hear of.
    """

    min_confidence: float = 0.5
    severities: Mapping[str, Severity] = field(default_factory=dict)
    actions: Mapping[str, str] = field(default_factory=dict)
    quiet: frozenset[str] = frozenset()


def evaluate(inspection: Inspection, rules: Rules = Rules()) -> tuple[Alert, ...]:
    """All alerts of an inspection: one per pattern, and one if something unknown was found.

    Every window counts, not only the whole capture: a small scratch shows on deep levels alone.
    """
    return (*_patterns(inspection, rules), *_novelty(inspection))


def _patterns(inspection: Inspection, rules: Rules) -> Iterator[Alert]:
    """Known defect classes stated with confidence."""
    ignored = {inspection.normal, *rules.quiet}
    found = {
        label: max(verdict.confidence for verdict in inspection.verdicts if label in _labels(verdict))
        for label in sorted({label for verdict in inspection.verdicts for label in _labels(verdict)} - ignored)
    }
    for label, confidence in found.items():
        if confidence >= rules.min_confidence:
            yield _alert(
                inspection,
                rule="pattern",
                pattern=label,
                severity=rules.severities.get(label, Severity.WARNING),
                title=label,
                action=rules.actions.get(label, LOOK),
            )


def _novelty(inspection: Inspection) -> Iterator[Alert]:
    """Windows that were refused a label. Strange ones weigh more than ones between two known classes."""
    reasons = {verdict.reason for verdict in inspection.verdicts if verdict.is_unknown}
    if not reasons:
        return
    reason = Reason.NOVEL if Reason.NOVEL in reasons else Reason.UNSURE
    yield _alert(
        inspection,
        rule="novelty",
        pattern=reason.value,
        severity=Severity.WARNING if reason is Reason.NOVEL else Severity.INFO,
        title="Unknown pattern" if reason is Reason.NOVEL else "Pattern between known classes",
        action=UNKNOWN_LOOK,
    )


def _labels(verdict: Verdict) -> set[str]:
    return set() if verdict.label is None else {verdict.label, *verdict.also}


def _alert(inspection: Inspection, *, rule: str, pattern: str, severity: Severity, title: str, action: str) -> Alert:
    origin = inspection.capture.provenance
    place = " · ".join(part for part in (origin.product, origin.step, origin.tool) if part)
    return Alert(
        fingerprint=Fingerprint(rule, pattern, origin.product, origin.step, origin.tool),
        severity=severity,
        title=f"{title} · {place}" if place else title,
        action=action,
        inspection_id=inspection.id,
        raised_at=inspection.started_at + timedelta(seconds=inspection.duration_s),
    )
