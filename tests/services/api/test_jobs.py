"""Jobs over HTTP: seen, hurried, given up, asked for again; and what ran out is 503."""

import errno
from pathlib import Path

import pytest

from models.domain.errors import RetryableError
from services.exhaustion import Resource, exhaustion_in, out_of
from services.jobs import OverQuota
from services.priority import Priority
from services.records.journal import journal
from services.records.session import Database
from tests.services.api.conftest import Service
from tests.services.making import add_job, capture, inspection, record


def deeds(database: Database) -> list[str]:
    with database.read() as session:
        return [entry.deed for entry in journal(session)]


def test_jobs_are_listed_by_state_and_sender(service: Service) -> None:
    record(service.database, inspection())
    waiting = add_job(service.database, "waiting", sender="tool 9", priority=Priority.BACKFILL)
    assert len(service.client.get("/api/v1/jobs").json()["items"]) == 2
    (found,) = service.client.get("/api/v1/jobs?state=queued&sender=tool 9").json()["items"]
    assert (found["id"], found["sender"], found["priority"], found["route"]) == (waiting, "tool 9", 200, "champion")
    assert service.client.get("/api/v1/jobs?state=lost").status_code == 422


def test_a_waiting_job_is_hurried_then_given_up(service: Service) -> None:
    job = add_job(service.database)
    answer = service.client.post(f"/api/v1/jobs/{job}/priority", json={"priority": "held"})
    assert (answer.status_code, answer.json()["priority"]) == (200, 0)
    answer = service.client.post(f"/api/v1/jobs/{job}/cancel")
    assert answer.json()["state"] == "cancelled"
    assert service.client.post(f"/api/v1/jobs/{job}/cancel").status_code == 409
    assert service.client.post(f"/api/v1/jobs/{job}/priority", json={"priority": "held"}).status_code == 409
    assert service.client.post("/api/v1/jobs/999/cancel").status_code == 404
    assert deeds(service.database) == ["job cancelled", "job made held"]


def test_an_upload_says_how_urgent_it_is(service: Service) -> None:
    answer = service.client.post("/api/v1/captures?priority=held", files={"file": ("a.001", b"a")})
    assert (answer.status_code, answer.json()["job"]["priority"]) == (202, 0)


def test_a_flood_is_429(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OverQuota("too many files wait")

    monkeypatch.setattr(type(service.intake), "__call__", full)
    answer = service.client.post("/api/v1/captures", files={"file": ("a.001", b"a")})
    assert (answer.status_code, answer.json()["code"]) == (429, "over-quota")
    assert int(answer.headers["Retry-After"]) > 0


def test_asking_for_another_inspection(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    class Store:
        def __init__(self, folder: Path) -> None:
            assert folder == service.settings.bundle_dir

        def resolve(self, route: str) -> object:
            if route != "challenger":
                raise RetryableError("no bundle released", where=route, code="no-bundle")
            return type("R", (), {"manifest": type("M", (), {"ref": type("B", (), {"digest": "c" * 64})})})

    monkeypatch.setattr("services.api.routing.BundleStore", Store)
    record(service.database, inspection(capture("a", lot="L1")), content="a")
    record(service.database, inspection(capture("b", lot="L2")), content="b")
    wish = {"bundle": "challenger", "lot": "L2"}
    path = "/api/v1/reinspections"
    expected = {"bundle": "c" * 64, "files": 1, "jobs": 0, "more": False}
    assert service.client.post(path, json=wish | {"dry_run": True}).json() == expected
    assert service.client.post(path, json=wish).json() == expected | {"jobs": 1}
    assert service.client.post(path, json=wish).json() == expected | {"files": 0}
    assert service.client.post(path, json=wish | {"bundle": "nobody"}).status_code == 404


@pytest.mark.parametrize(
    ("error", "resource"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "files"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (MemoryError(), "memory"),
        (out_of(Resource.CONNECTIONS), "connections"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_ran_out_is_503_and_counted(
    service: Service, monkeypatch: pytest.MonkeyPatch, error: Exception, resource: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(type(service.intake), "__call__", fail)
    answer = service.client.post("/api/v1/captures", files={"file": ("a.001", b"a")})
    assert (answer.status_code, answer.json()["code"]) == (503, f"out-of-{resource}")
    assert int(answer.headers["Retry-After"]) > 0
    counted = service.metrics.registry.get_sample_value("waferwatch_exhausted_total", {"resource": resource})
    assert counted == 1


def test_other_errors_of_the_system_stay_500(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(service.intake), "__call__", fail)
    assert service.client.post("/api/v1/captures", files={"file": ("a.001", b"a")}).status_code == 500


def test_exhaustion_is_found_behind_what_was_made_of_it() -> None:
    made_of_it = ValueError("bad body")
    made_of_it.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    found = exhaustion_in(made_of_it)
    assert found is not None
    assert found.resource is Resource.DISK
    assert exhaustion_in(ValueError()) is None
