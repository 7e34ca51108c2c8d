"""Alerts over HTTP: who decides names the version they saw."""

import pytest

from models.domain.alert import Alert, Fingerprint, Severity
from services.alerting.occurrences import raise_alerts
from services.records.session import now
from tests.services.api.conftest import Service
from tests.services.making import sha


@pytest.fixture
def alert_id(service: Service) -> int:
    return raised(service, "Ring")


def raised(service: Service, pattern: str, severity: Severity = Severity.WARNING, tool: str = "T9") -> int:
    fingerprint = Fingerprint("pattern", pattern, "P1", "ETCH", tool)
    alert = Alert(fingerprint, sha(pattern + tool), severity, pattern, "look")
    with service.database.write() as session:
        (one,) = raise_alerts(session, [alert], at=now(session))
    assert one.alert_id is not None
    return one.alert_id


def test_acknowledging_with_the_version_seen(service: Service, alert_id: int) -> None:
    path = f"/api/v1/alerts/{alert_id}"
    seen = service.client.get(path)
    assert seen.headers["etag"].startswith('"1-')
    done = service.client.post(f"{path}/acknowledge", headers={"If-Match": seen.headers["etag"]})
    assert (done.status_code, done.json()["state"], done.json()["handled_by"]) == (200, "acknowledged", "local")
    late = service.client.post(f"{path}/false-alarm", json={"version": 1, "note": "dust"})
    assert (late.status_code, late.json()["code"]) == (409, "stale-alert")
    closed = service.client.post(f"{path}/resolve", json={"version": 2, "note": "chuck cleaned"})
    assert closed.json()["state"] == "resolved"
    history = service.client.get(path).json()["history"]
    assert [(one["after"], one["note"]) for one in history[1:]] == [("acknowledged", ""), ("resolved", "chuck cleaned")]
    assert service.client.post(f"{path}/reopen", json={"version": 3}).status_code == 409
    text = service.client.get("/metrics").text
    assert "waferwatch_alert_acknowledge_delay_seconds_count 1.0" in text
    assert 'waferwatch_alerts_closed_total{disposition="resolved"} 1.0' in text


def test_without_a_version_nothing_is_changed(service: Service, alert_id: int) -> None:
    for headers in ({}, {"If-Match": "*"}):
        answer = service.client.post(f"/api/v1/alerts/{alert_id}/acknowledge", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (428, "version-missing")
    assert service.client.post("/api/v1/alerts/999/acknowledge", json={"version": 1}).status_code == 404
    assert service.client.post(f"/api/v1/alerts/{alert_id}/explode", json={"version": 1}).status_code == 422
    assert service.client.post(f"/api/v1/alerts/{alert_id}/resolve", json={"version": "1"}).status_code == 422


def test_a_foreign_page_cannot_acknowledge(service: Service, alert_id: int) -> None:
    for path in (f"/api/v1/alerts/{alert_id}/acknowledge", f"/alerts/{alert_id}/acknowledge"):
        answer = service.client.post(path, data={"version": "1"}, headers={"Origin": "http://evil.example"})
        assert answer.status_code == 403
    assert service.client.get(f"/api/v1/alerts/{alert_id}").json()["state"] == "open"


def test_alerts_are_filtered(service: Service) -> None:
    raised(service, "Ring", tool="T1")
    raised(service, "Ring", tool="T2")
    raised(service, "Donut", Severity.CRITICAL)

    def found(query: str) -> list[str]:
        return [one["pattern"] + one["tool"] for one in service.client.get(f"/api/v1/alerts?{query}").json()["items"]]

    assert sorted(found("")) == ["DonutT9", "RingT1", "RingT2"]
    assert found("severity=critical") == ["DonutT9"]
    assert found("pattern=Ring&tool=T2") == ["RingT2"]
    assert found("state=resolved") == []
    assert service.client.get("/api/v1/alerts?state=nonsense").status_code == 422
