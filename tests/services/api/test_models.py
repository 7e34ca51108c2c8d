"""Versions of the model, and the audited click that lets one judge."""

from services.records.journal import journal
from tests.services.api.conftest import Serve, Service
from tests.services.faking_models import FakeModels

PROMOTE = "/api/v1/models/{}/promotion"


def deeds(service: Service) -> list[tuple[str, str, object]]:
    with service.database.read() as session:
        return [(one.actor, one.subject, one.detail["note"]) for one in journal(session) if one.deed == "promoted"]


def test_versions_are_told_with_what_the_gate_said(serve: Serve) -> None:
    third, second, _ = serve(models_known=FakeModels()).client.get("/api/v1/models").json()["items"]
    assert (third["version"], third["gate"], second["aliases"]) == ("3", "refused", ["champion"])
    assert third["against_figures"]["test.recall.Scratch"] == 0.66


def test_promoting_is_written_down_with_who_and_why(serve: Serve) -> None:
    fake = FakeModels()
    service = serve(models_known=fake)
    answer = service.client.post(PROMOTE.format(1), json={"seen": "2", "note": "2 misses scratches"})
    assert answer.json()["aliases"] == ["champion"]
    assert deeds(service) == [("local", "model wafer version 1", "2 misses scratches")]


def test_who_saw_another_champion_must_look_again(serve: Serve) -> None:
    service = serve(models_known=FakeModels())
    answer = service.client.post(PROMOTE.format(1), json={"seen": "3"})
    assert (answer.status_code, answer.json()["code"]) == (409, "champion-changed")
    assert deeds(service) == []


def test_a_refused_version_needs_a_reason(serve: Serve) -> None:
    service = serve(models_known=FakeModels())
    answer = service.client.post(PROMOTE.format(3), json={"seen": "2", "note": "  "})
    assert (answer.status_code, answer.json()["code"]) == (422, "note-missing")
    assert service.client.post(PROMOTE.format(3), json={"seen": "2", "note": "only hope"}).status_code == 200


def test_a_registry_that_fails_meanwhile_leaves_nothing_written_down(serve: Serve) -> None:
    fake = FakeModels()
    service = serve(models_known=fake)
    fake.away = "MLflow does not answer"
    assert service.client.post(PROMOTE.format(1), json={"seen": "2"}).status_code == 503
    assert deeds(service) == []


def test_pages_live_without_a_registry(serve: Serve) -> None:
    fake = FakeModels()
    service = serve(models_known=fake)
    fake.away = "connection refused"
    page = service.client.get("/models").text
    assert "connection refused" in page
    assert "Version 2" in page, "the last known versions stay"
    fake.away, fake.versions = "ever", ()
    assert service.client.get("/models").status_code == 200
    assert service.client.get("/api/v1/models").status_code == 503
    assert service.client.get("/models/7", headers={"Accept": "text/html"}).status_code == 503


def test_no_such_version(serve: Serve) -> None:
    service = serve(models_known=FakeModels())
    assert service.client.get("/models/77", headers={"Accept": "text/html"}).status_code == 404
    assert service.client.post(PROMOTE.format(77), json={"seen": "2"}).status_code == 404
