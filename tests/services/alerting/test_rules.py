"""Which inspections become alerts."""

import pytest

from models.domain.alert import Severity
from models.domain.tiling import Level, Window
from models.domain.verdict import Reason
from services.alerting.rules import Rules, evaluate
from tests.services.making import capture, inspection, verdict

DEEP = Window(Level(2, 256, 256), 0, 64, 64, 64)


def patterns(*alerts: object) -> set[tuple[str, str]]:
    return {(alert.fingerprint.rule, alert.fingerprint.pattern) for alert in alerts}  # type: ignore[attr-defined]


def test_a_normal_wafer_raises_nothing() -> None:
    assert evaluate(inspection(capture(), verdict("Normal"), verdict("Normal", window=DEEP))) == ()


def test_a_known_defect_class_names_who_where_and_what_to_do() -> None:
    (alert,) = evaluate(inspection(capture(), verdict("Scratch")), Rules(actions={"Scratch": "Check the robot arm."}))
    assert alert.fingerprint.rule == "pattern"
    assert (alert.fingerprint.product, alert.fingerprint.step, alert.fingerprint.tool) == ("P1", "ETCH", "T9")
    assert alert.title == "Scratch · P1 · ETCH · T9"
    assert alert.action == "Check the robot arm."


@pytest.mark.parametrize(("confidence", "count"), [(0.49, 0), (0.5, 1)])
def test_confidence_decides(confidence: float, count: int) -> None:
    found = inspection(capture(), verdict("Scratch", confidence=confidence))
    assert len(evaluate(found, Rules(min_confidence=0.5))) == count


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


def test_installations_choose_severity_and_silence() -> None:
    found = inspection(capture(), verdict("Scratch"), verdict("Ring"))
    rules = Rules(severities={"Scratch": Severity.CRITICAL}, quiet=frozenset({"Ring"}))
    (alert,) = evaluate(found, rules)
    assert (alert.fingerprint.pattern, alert.severity) == ("Scratch", Severity.CRITICAL)


def test_the_same_inspection_gives_the_same_alerts() -> None:
    found = inspection(capture(), verdict("Scratch"), verdict("Ring"), verdict(None))
    assert evaluate(found) == evaluate(found)
