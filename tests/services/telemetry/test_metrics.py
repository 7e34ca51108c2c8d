"""Metrics: names by convention, bounded labels, our words translated once."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from models.domain.alert import Alert, Fingerprint, Severity
from models.domain.capture import Capture, CaptureKind
from models.domain.inspection import BundleRef, Inspection
from models.domain.tiling import Level, Window
from models.domain.verdict import Reason, Verdict
from services.alerting.occurrences import Outcome, Raised
from services.telemetry.metrics import PREFIX, Metrics

WHOLE = Window(Level(0, 64, 64), 0, 0, 64, 64)
NOW = datetime.now(UTC)


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(CollectorRegistry())


def inspection(verdict: Verdict) -> Inspection:
    capture = Capture("ab", CaptureKind.WAFER, "L1/03", 300_000, 300_000)
    return Inspection(capture, BundleRef("wafer", "3", "cd"), (verdict,), "Normal", NOW, 0.5)


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"{PREFIX}_{name}", labels)


@pytest.mark.parametrize(
    ("verdict", "kind", "label"),
    [
        (Verdict(WHOLE, "Ring", 0.9, 0.2, Reason.CONFIDENT), "defect", "Ring"),
        (Verdict(WHOLE, "Normal", 0.9, 0.2, Reason.CONFIDENT), "normal", "Normal"),
        (Verdict(WHOLE, None, 0.4, 0.2, Reason.UNSURE, "Ring"), "unknown", "unknown"),
        (Verdict(WHOLE, None, 0.0, 0.0, Reason.NOT_INSPECTED), "not inspected", "not inspected"),
    ],
)
def test_an_inspection_is_counted_by_its_own_verdict_and_by_its_windows(
    metrics: Metrics, verdict: Verdict, kind: str, label: str
) -> None:
    metrics.inspected(inspection(verdict), novelty_threshold=0.1, seen_at=datetime.now(UTC) - timedelta(seconds=3))
    assert value(metrics, "inspections_total", verdict=kind) == 1
    assert value(metrics, "verdicts_total", label=label) == 1
    assert value(metrics, "verdict_confidence_ratio_sum") == pytest.approx(verdict.confidence)
    assert value(metrics, "verdict_novelty_threshold_ratio_sum") == pytest.approx(verdict.novelty / 0.1)
    latency = value(metrics, "wafer_latency_seconds_sum")
    assert latency is not None
    assert 3 <= latency < 60


def test_repeats_are_not_new_alerts(metrics: Metrics) -> None:
    alert = Alert(Fingerprint("pattern", "Ring"), "s" * 64, Severity.WARNING, "Ring", "Check the chuck")
    for outcome in (Outcome.OPENED, Outcome.REPEATED, Outcome.REPEATED, Outcome.COOLING):
        metrics.alert_raised(Raised(alert, 1, outcome))
    assert value(metrics, "alerts_opened_total", severity="warning", rule="pattern") == 1
    assert value(metrics, "alerts_repeated_total", severity="warning") == 2
    assert value(metrics, "alerts_suppressed_total", reason="cooling down") == 1


def test_ten_thousand_names_make_a_bounded_number_of_series(metrics: Metrics) -> None:
    for k in range(10_000):
        metrics.quarantined(f"reason-{k}")
        metrics.verdicts.labels(metrics._patterns(f"pattern {k}")).inc()
        alert = Alert(Fingerprint(f"rule {k}", "Ring"), "s" * 64, Severity.INFO, "t", "a")
        metrics.alert_raised(Raised(alert, k, Outcome.OPENED))
    assert len(generate_latest(metrics.registry).splitlines()) < 1000
    assert value(metrics, "ingest_quarantined_total", reason="other") == 10_000 - 48


def test_every_metric_has_help_the_prefix_and_base_units(metrics: Metrics) -> None:
    families = list(text_string_to_metric_families(generate_latest(metrics.registry).decode()))
    assert len(families) > 15
    for family in families:
        if family.name.endswith("_created"):
            continue
        assert family.name.startswith(f"{PREFIX}_"), family.name
        assert len(family.documentation) > 10, family.name
        assert not family.name.endswith(("_ms", "_milliseconds", "_kb", "_percent")), family.name


def test_a_bundle_that_was_never_registered_has_version_zero(metrics: Metrics) -> None:
    metrics.bundle_loaded(BundleRef("wafer", "7", "cd"))
    assert value(metrics, "model_version") == 7
    metrics.bundle_loaded(BundleRef("wafer", "local", "cd"))
    assert value(metrics, "model_version") == 0
