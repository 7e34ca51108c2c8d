"""Which inspections become alerts."""

import pytest

from models.domain.alert import Severity
from models.domain.tiling import Level, Window
from models.domain.verdict import Reason
from services.alerting.rule_file import Rules
from services.alerting.rules import evaluate
from tests.services.making import capture, inspection, verdict

LOOK = "Look."


def rules(*parts: dict[str, object]) -> Rules:
    """Rules made of what matters to a test."""
    whole = [{"name": f"rule-{n}", "severity": "warning", "action": LOOK, **part} for n, part in enumerate(parts)]
    return Rules.model_validate({"version": 1, "rules": whole})


DEEP = Window(Level(2, 256, 256), 0, 64, 64, 64)


def patterns(*alerts: object) -> set[tuple[str, str]]:
    return {(alert.fingerprint.rule, alert.fingerprint.pattern) for alert in alerts}  # type: ignore[attr-defined]


def test_a_normal_wafer_raises_nothing() -> None:
    assert evaluate(inspection(capture(), verdict("Normal"), verdict("Normal", window=DEEP))) == ()


def test_a_known_defect_class_names_who_where_and_what_to_do() -> None:
    (alert,) = evaluate(
        inspection(capture(), verdict("Scratch")),
        rules({"name": "pattern", "kind": "pattern", "action": "Check the robot arm."}),
    )
    assert alert.fingerprint.rule == "pattern"
    assert (alert.fingerprint.product, alert.fingerprint.step, alert.fingerprint.tool) == ("P1", "ETCH", "T9")
    assert alert.title == "Scratch · P1 · ETCH · T9"
    assert alert.action == "Check the robot arm."


@pytest.mark.parametrize(("confidence", "count"), [(0.49, 0), (0.5, 1)])
def test_confidence_decides(confidence: float, count: int) -> None:
    found = inspection(capture(), verdict("Scratch", confidence=confidence))
    assert len(evaluate(found, rules({"kind": "pattern", "min_confidence": 0.5}))) == count


def test_a_defect_that_only_a_deep_window_shows_counts() -> None:
    found = inspection(capture(), verdict("Normal"), verdict("Scratch", window=DEEP), verdict("Scratch", window=DEEP))
    assert patterns(*evaluate(found)) == {("pattern", "Scratch")}


def test_each_of_several_patterns_on_one_window_is_an_alert() -> None:
    found = inspection(capture(), verdict("Ring", also=("Scratch",)))
    assert patterns(*evaluate(found)) == {("pattern", "Ring"), ("pattern", "Scratch")}


def test_strange_outweighs_unsure() -> None:
    unsure, novel = verdict(None, reason=Reason.UNSURE), verdict(None, reason=Reason.NOVEL)
    (both,) = evaluate(inspection(capture(), unsure, novel))
    (only,) = evaluate(inspection(capture(), unsure))
    assert (both.fingerprint.pattern, both.severity) == ("novel", Severity.WARNING)
    assert (only.fingerprint.pattern, only.severity) == ("unsure", Severity.INFO)


def test_windows_nobody_inspected_are_not_strange() -> None:
    assert evaluate(inspection(capture(), verdict("Normal"), verdict(None, reason=Reason.NOT_INSPECTED))) == ()


def test_an_unknown_is_not_also_an_alert_of_its_likeliest_class() -> None:
    assert patterns(*evaluate(inspection(capture(), verdict(None, likeliest="Ring")))) == {("novelty", "novel")}


def test_of_several_rules_the_first_that_takes_a_pattern_decides() -> None:
    chosen = rules(
        {"kind": "pattern", "labels": ["Scratch"], "min_confidence": 0.95, "severity": "critical"},
        {"kind": "pattern", "except": ["Ring"]},
    )
    sure, less = verdict("Scratch", confidence=0.97), verdict("Scratch", confidence=0.8)
    assert [alert.severity for alert in evaluate(inspection(capture(), sure), chosen)] == [Severity.CRITICAL]
    assert [alert.severity for alert in evaluate(inspection(capture(), less), chosen)] == [Severity.WARNING]
    assert evaluate(inspection(capture(), verdict("Ring")), chosen) == ()


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({"tool": ["T9"]}, 1),
        ({"tool": ["T1", "T*"], "product": ["P1"]}, 1),
        ({"tool": ["T9"], "step": ["CMP*"]}, 0),
        ({"product": ["p1"]}, 0),
    ],
)
def test_a_rule_may_be_for_some_places_only(where: dict[str, object], count: int) -> None:
    found = inspection(capture(), verdict("Scratch"), verdict(None, reason=Reason.UNSURE))
    chosen = rules({"kind": "pattern", "where": where}, {"kind": "novelty", "reason": "unsure", "where": where})
    assert len(evaluate(found, chosen)) == 2 * count
    unplaced = inspection(capture(product=None, step=None, tool=None), verdict("Scratch"))
    assert evaluate(unplaced, chosen) == (), "a capture that does not say where it is from is from nowhere"


def test_the_same_inspection_gives_the_same_alerts() -> None:
    found = inspection(capture(), verdict("Scratch"), verdict("Ring"), verdict(None))
    assert evaluate(found) == evaluate(found)
