"""Pages without a browser: what they say, that every view has an address, and what their forms do."""

import re
from dataclasses import replace

import numpy as np
import pytest

from models.domain.alert import AlertState
from models.domain.capture import CaptureKind
from models.domain.errors import InputError
from models.domain.inspection import Looks
from models.domain.verdict import Reason
from services.access.roles import Role
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.clustering import Clustering
from services.jobs import fail
from services.records import queries
from services.records.session import now
from services.records.tables import JobState
from tests.services.access.people import PASSWORD, let_in
from tests.services.api.conftest import Serve, Service, serve, service  # noqa: F401 - fixtures
from tests.services.making import POLICY, add_job, capture, claim_one, inspection, record, verdict

HTML = {"Accept": "text/html"}


def shown(service: Service, path: str, status: int = 200) -> str:  # noqa: F811
    answer = service.client.get(path, headers=HTML)
    assert answer.status_code == status, answer.text
    return " ".join(re.sub(r"<[^>]*>", " ", answer.text).split())


def found(service: Service, content: str = "wafer", label: str | None = "Ring") -> str:  # noqa: F811
    """An inspection with its alert; its id."""
    service.spool(content)
    one = inspection(capture(content), verdict(label, reason=None if label else Reason.NOVEL))
    one = replace(one, looks=Looks(np.ones(8, np.float32), np.zeros(90, np.float32)))
    record(service.database, one, content=content)
    with service.database.write() as session:
        raise_alerts(session, evaluate(one), at=now(session))
    return one.id


def quarantined(service: Service) -> int:  # noqa: F811
    job_id = add_job(service.database, "bad")
    lease = claim_one(service.database)
    assert lease is not None
    with service.database.write() as session:
        fail(session, lease, InputError("file ends early", where="bad.001", got="=1+1"), POLICY)
    return job_id


def test_an_alert_is_worked_on_by_forms(service: Service) -> None:  # noqa: F811
    found(service)
    post = service.client.post
    assert post("/alerts/1/assign", data={"version": "1", "to": "Zoë"}).status_code == 303
    assert post("/alerts/1/comment", data={"text": "chuck looks worn"}).status_code == 303
    assert post("/alerts/1/change", data={"version": "2", "to": "tool fixed", "note": "cleaned"}).status_code == 303
    page = shown(service, "/alerts/1")
    for said in (
        "assigned to Zoë",
        "chuck looks worn",
        "tool fixed: cleaned",
        "Closed as resolved (tool fixed)",
        "unbroken",
    ):
        assert said in page
    assert 'alerts_closed_total{disposition="tool fixed"} 1.0' in service.client.get("/metrics").text
    with service.database.read() as session:
        assert queries.alerts(session, states=[AlertState.RESOLVED]).items[0].assigned_to == "Zoë"


def test_a_stale_form_says_so_and_changes_nothing(service: Service) -> None:  # noqa: F811
    found(service)
    service.client.post("/alerts/1/change", data={"version": "1", "to": "acknowledged"})
    for path, data in [("change", {"to": "wrong pattern"}), ("assign", {"to": "Zoë"}), ("acknowledge", {})]:
        answer = service.client.post(f"/alerts/1/{path}", data={"version": "1", **data}, headers=HTML)
        assert answer.status_code == 409
        assert "Somebody was quicker" in answer.text
    assert service.client.post("/alerts/1/change", data={"version": "2", "to": "nonsense"}).status_code == 422


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
def test_a_form_sends_nobody_elsewhere(service: Service, back: str) -> None:  # noqa: F811
    found(service)
    answer = service.client.post("/alerts/1/acknowledge", data={"version": "1", "back": back})
    assert answer.headers["location"] == "/"


def test_strangers_are_named_and_leave_the_inbox(service: Service) -> None:  # noqa: F811
    one, two = found(service, "one", None), found(service, "two", None)
    assert shown(service, "/unknown").count("Like no other") == 2
    Clustering(service.database).refresh()
    assert "Group 1: 2 captures" in shown(service, "/unknown")
    assert service.client.post("/unknown/name", data={"inspection": [one, two], "name": "Comet"}).status_code == 303
    page = shown(service, "/unknown")
    assert "Nothing unknown waits" in page
    assert "Comet 2 captures" in page
    assert "Comet said local" in shown(service, f"/inspections/{one}")
    answer = service.client.post(
        "/unknown/name", data={"inspection": [one], "name": "Ring", "back": f"/inspections/{one}"}
    )
    assert answer.headers["location"] == f"/inspections/{one}"
    labels = service.client.get("/api/v1/labels").json()["items"]
    assert [(label["capture_name"], label["label"]) for label in labels] == [("one.001", "Ring"), ("two.001", "Comet")]
    assert "two.001,LOT7,Comet,local" in service.client.get("/labels.csv").text
    assert service.client.post("/unknown/name", data={"inspection": [one], "name": " "}).status_code == 422


def test_what_joins_a_named_group_is_told_its_name(service: Service) -> None:  # noqa: F811
    clustering = Clustering(service.database)
    found(service, "one", None), found(service, "two", None)
    clustering.refresh()
    (group,) = service.client.get("/api/v1/clusters").json()["items"]
    assert (group["id"], group["size"], group["unnamed"], group["name"], len(group["medoids"])) == (1, 2, 2, None, 2)
    named = service.client.post("/api/v1/clusters/1/name", json={"label": "Comet", "but": [group["inspections"][1]]})
    assert (named.status_code, named.json()) == (201, {"captures": 1})
    late = found(service, "late", None)
    clustering.refresh()
    page = service.client.get("/unknown", headers=HTML).text
    assert "looks like Comet" in page
    assert 'value="Comet"' in page
    (group,) = service.client.get("/api/v1/clusters").json()["items"]
    assert (group["id"], group["size"], group["unnamed"], group["name"]) == (1, 3, 2, "Comet")
    assert late in group["inspections"]
    assert service.client.post("/api/v1/clusters/1/name", json={"label": "Comet"}).json() == {"captures": 2}
    assert service.client.get("/api/v1/clusters").json()["items"] == []
    assert service.client.get("/api/v1/clusters/1").json()["name"] == "Comet"
    assert service.client.get("/api/v1/clusters/9").status_code == 404
    assert "Nothing unknown waits" in shown(service, "/unknown")


def test_programs_name_captures_too(service: Service) -> None:  # noqa: F811
    one = found(service, "one", None)
    answer = service.client.post("/api/v1/labels", json={"inspections": [one], "label": "Comet"})
    assert (answer.status_code, answer.json()) == (201, {"captures": 1})
    assert service.client.post("/api/v1/labels", json={"inspections": ["x"], "label": "Comet"}).status_code == 404


def test_wafers_of_an_alert_are_stacked(service: Service) -> None:  # noqa: F811
    found(service, "one")
    found(service, "two")
    assert "100 % of 2 wafers" in shown(service, "/stack?alert=1")
    assert "100 % of 2 wafers" in shown(service, "/stack?label=Ring&lot=LOT7")
    assert "No wafer fits" in shown(service, "/stack?label=Donut")
    picture = service.client.get("/stack.png?alert=1&size=100&theme=dark")
    assert picture.content.startswith(b"\x89PNG")
    shown(service, "/stack?alert=99", 404)


def test_images_are_not_stacked(service: Service) -> None:  # noqa: F811
    image = replace(capture("image"), kind=CaptureKind.IMAGE, height=600, width=800)
    record(service.database, inspection(image), content="image")
    assert "No wafer fits" in shown(service, "/stack")


def test_quality_counts_what_needs_a_look(service: Service) -> None:  # noqa: F811
    found(service, "one")
    found(service, "two", None)
    found(service, "three", "Normal")
    for reach in ("8h", "24h", "7d", "30d"):
        page = shown(service, f"/quality?reach={reach}")
        assert "2 of 3 captures need a look" in page
    assert "Nothing was inspected" in shown(service, "/quality?tool=elsewhere")
    shown(service, "/quality?reach=1y", 404)


def test_the_report_tells_what_a_shift_leaves(service: Service) -> None:  # noqa: F811
    found(service)
    quarantined(service)
    page = shown(service, "/report")
    assert "bad.001" in page
    assert "Ring" in page
    table = service.client.get("/report.csv")
    assert table.headers["content-type"].startswith("text/csv")
    assert "attachment" in table.headers["content-disposition"]
    assert "pattern,Ring,P1,ETCH,T9,1" in table.text
    shown(service, "/report?since=2026-01-02T00:00&until=2026-01-01T00:00", 422)
    for moment in ("yesterday", "0001-01-01T00:00", "9999-12-31T23:59-14:00"):
        shown(service, f"/report?until={moment}", 422)
    assert "Nothing: every alert is closed" in shown(service, "/report?since=2020-01-01T00:00&until=2020-01-01T08:00")


def test_the_audit_holds_every_deed_with_its_hash(service: Service) -> None:  # noqa: F811
    found(service)
    service.client.post("/alerts/1/comment", data={"text": "=HYPERLINK(1)"})
    assert "=HYPERLINK(1)" in shown(service, "/audit")
    table = service.client.get("/audit.csv").text
    assert "'=HYPERLINK(1)" in table
    assert len(re.findall(r",[0-9a-f]{64}", table)) == 2


def test_a_file_in_quarantine_gets_another_try(service: Service) -> None:  # noqa: F811
    job_id = quarantined(service)
    assert "file ends early" in shown(service, "/quarantine")
    assert service.client.post(f"/jobs/{job_id}/retry").headers["location"] == f"/jobs/{job_id}"
    assert "waits for an inspector" in shown(service, f"/jobs/{job_id}")
    again = service.client.post(f"/api/v1/jobs/{job_id}/retry")
    assert (again.status_code, again.json()["code"]) == (409, "job-state")
    with service.database.read() as session:
        assert [one.state for one in queries.jobs(session, states=[JobState.QUEUED]).items] == [JobState.QUEUED]


def test_the_service_page_says_what_is_wrong(service: Service) -> None:  # noqa: F811
    assert "Everything is running" in shown(service, "/service")
    quarantined(service)
    add_job(service.database, "waiting")
    with service.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE job SET created_at = '2020-01-01 00:00:00.000000' WHERE state = 'queued'")
    page = shown(service, "/service")
    assert "Inspectors: silent" in page
    assert service.client.get("/readyz").json()["status"] == "degraded"


def test_filters_and_cursors_live_in_the_address(service: Service) -> None:  # noqa: F811
    found(service, "one")
    found(service, "two", None)
    assert "Unknown pattern" not in shown(service, "/alerts?pattern=Ring&part=rows")
    assert "No alert fits these filters" in shown(service, "/alerts?tool=elsewhere")
    assert "None here" in shown(service, "/alerts?state=closed")
    shown(service, "/alerts?state=nonsense", 404)
    assert "two.001" not in shown(service, "/inspections?verdict=known&part=rows")
    rows = service.client.get("/alerts?part=rows", headers=HTML).text
    assert "<html" not in rows
    assert rows.count("data-key") == 2


def test_the_reference_describes_every_operation(service: Service) -> None:  # noqa: F811
    page = shown(service, "/api")
    described = service.client.get("/api/v1/openapi.json").json()
    for path, methods in described["paths"].items():
        assert path in page
        for operation in methods.values():
            assert operation.get("description"), path


def test_a_login_names_who_acts(serve: Serve) -> None:  # noqa: F811
    service = serve(login="always")  # noqa: F811
    found(service)
    let_in(service.database, "Zoë", Role.OPERATOR)
    service.client.post("/login", data={"name": "Zoë", "password": PASSWORD})
    service.client.post("/alerts/1/acknowledge", data={"version": "1"})
    assert "acknowledged by Zoë" in shown(service, "/alerts")
    assert "Log out" in shown(service, "/alerts")
