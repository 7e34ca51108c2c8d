"""Rules, silences, bad actors, commonality and the audit trail over HTTP."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from models.domain.alert import Alert, AlertState, Fingerprint, Severity
from services.alerting.audit import verify
from services.alerting.handling import change_alert
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.records.session import now
from tests.services.api.conftest import Service
from tests.services.api.test_alerts import raised
from tests.services.making import capture, inspection, record, sha, verdict


def later(hours: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=hours)).isoformat()


def test_a_silence_from_beginning_to_end(service: Service) -> None:
    raised(service, "Ring")
    wish = {"tool": "T9", "until": later(2), "reason": "chuck is being replaced"}
    made = service.client.post("/api/v1/silences", json=wish)
    assert (made.status_code, made.json()["author"], made.json()["active"]) == (201, "local", True)
    assert service.client.get("/api/v1/alerts?silenced=false").json()["items"] == []
    assert len(service.client.get("/api/v1/alerts?silenced=true").json()["items"]) == 1
    number = made.json()["id"]
    assert service.client.post(f"/api/v1/silences/{number}/end").json()["ended_by"] == "local"
    assert service.client.post(f"/api/v1/silences/{number}/end").status_code == 409
    assert service.client.post("/api/v1/silences/99/end").status_code == 404
    assert service.client.get("/api/v1/silences").json()["items"] == []
    assert [one["id"] for one in service.client.get("/api/v1/silences?days=1").json()["items"]] == [number]


def test_what_is_missing_in_a_silence_is_said(service: Service) -> None:
    for wrong in ({"until": later(1)}, {"tool": "T9", "until": later(-1)}, {"tool": "T9", "until": later(24 * 40)}):
        answer = service.client.post("/api/v1/silences", json={"reason": "x", **wrong})
        assert (answer.status_code, answer.json()["code"]) == (422, "bad-silence")


def test_rules_are_shown_and_tried(service: Service) -> None:
    found = inspection(capture(), verdict("Ring"))
    record(service.database, found)
    assert service.client.get("/api/v1/rules").json()["version"] == 1
    (fired,) = service.client.post("/api/v1/rules/test", json={"days": 1}).json()
    assert (fired["rule"], fired["pattern"], fired["findings"]) == ("pattern", "Ring", 1)
    nothing = {"text": "version: 1\nrules: []\n", "days": 1}
    assert service.client.post("/api/v1/rules/test", json=nothing).json() == []
    wrong = service.client.post("/api/v1/rules/test", json={"text": "version: 3\nrules: []\n"})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "bad-rules")


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "- " * 20_000, "a: 2026-02-31", "!!int x", "!!bool 3", "!!timestamp x", "&a [*a]", "{", "<<: 3"],
    ids=lambda text: text[:12],
)
def test_rules_that_nobody_can_read_are_a_wrong_input(service: Service, text: str) -> None:
    wrong = service.client.post("/api/v1/rules/test", json={"text": text})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "bad-rules")


def test_rules_that_are_endless_when_written_out_are_answered_in_a_few_words(service: Service) -> None:
    lines = [
        "a0: &a0 [x, x, x, x, x, x, x, x]",
        *(f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 8)}]" for k in range(1, 30)),
    ]
    wrong = service.client.post("/api/v1/rules/test", json={"text": "\n".join(lines)})
    assert wrong.status_code == 422
    assert len(wrong.text) < 1000


def test_a_silence_needs_moments_of_this_calendar(service: Service) -> None:
    for until in ("2026-03-01T12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "tomorrow"):
        assert (
            service.client.post("/api/v1/silences", json={"tool": "T", "reason": "x", "until": until}).status_code
            == 422
        )


def test_bad_actors_and_the_rate_of_alerts(service: Service) -> None:
    for subject, tool in (("a", "T9"), ("b", "T9"), ("c", "T10")):
        alert = Alert(Fingerprint("pattern", "Ring", tool=tool), sha(subject), Severity.WARNING, "Ring", "Look.")
        with service.database.write() as session:
            (one,) = raise_alerts(session, [alert], at=now(session))
        assert one.alert_id is not None
        with service.database.write() as session:
            change_alert(session, one.alert_id, version=1, to=AlertState.FALSE_ALARM, actor="Zoë")
    found = service.client.get("/api/v1/bad-actors").json()
    assert [(one["tool"], one["alerts"], one["false_alarms"]) for one in found["bad_actors"]] == [
        ("T9", 2, 2),
        ("T10", 1, 1),
    ]
    assert (found["worst"], found["over"], found["flooded"], found["budget"]) == (3, 1, 0, 1.0)


def test_what_affected_wafers_share(service: Service) -> None:
    numbers = []
    for lot in range(16):
        for slot in (1, 2):
            bad = lot < 8
            wafer = capture(f"{lot}/{slot}", lot=f"L{lot}", slot=slot, tool="T1" if bad else f"T{2 + lot % 2}")
            found = inspection(wafer, verdict("Ring" if bad and slot == 1 else "Normal"))
            record(service.database, found, content=f"{lot}/{slot}")
            with service.database.write() as session:
                numbers += [one.alert_id for one in raise_alerts(session, evaluate(found), at=now(session))]
    shared = service.client.get(f"/api/v1/alerts/{numbers[0]}/commonality").json()
    assert ("tool", "T1", "lot") in {(one["factor"], one["value"], one["unit"]) for one in shared}
    assert service.client.get("/api/v1/alerts/99/commonality").status_code == 404


def test_the_audit_trail_is_taken_out_and_checked(service: Service) -> None:
    raised(service, "Ring")
    answer = service.client.get("/api/v1/audit")
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert verify(answer.text.splitlines(), "answer").rows == 1
    assert json.loads(answer.text.splitlines()[0])["chain"] == "alert 1"
