"""The page of files: what is shown, that buttons do what they say, and that only those see them who may."""

import pytest

from services.access.roles import Role
from services.records import queries
from services.records.journal import journal
from services.records.tables import JobState
from services.records.views import JobSummary
from tests.services.access.people import let_in, log_in
from tests.services.api.conftest import Serve, Service, serve, service  # noqa: F401 - fixtures
from tests.services.dashboard.test_pages import HTML, quarantined, shown
from tests.services.making import add_job, claim_one, record


def job(service: Service, number: int) -> JobSummary:  # noqa: F811
    with service.database.read() as session:
        found = queries.job(session, number)
    assert found is not None
    return found


def test_files_are_listed_by_what_becomes_of_them(service: Service) -> None:  # noqa: F811
    assert "No files here" in shown(service, "/jobs")
    record(service.database, content="judged")
    bad = quarantined(service)
    add_job(service.database, "waiting", sender="tool 9")
    waiting = shown(service, "/jobs")
    assert "waiting.001" in waiting
    assert "from tool 9" in waiting
    assert "judged.001" not in waiting
    assert "judged.001" in shown(service, "/jobs?state=done")
    assert "bad.001" in shown(service, "/jobs?state=set-aside")
    assert "bad.001" not in shown(service, "/jobs?state=cancelled")
    assert service.client.post(f"/jobs/{bad}/cancel").status_code == 303
    assert "bad.001" in shown(service, "/jobs?state=cancelled")


def test_a_file_is_hurried_let_wait_and_given_up(service: Service) -> None:  # noqa: F811
    number = add_job(service.database, "waiting")
    post, back = service.client.post, "/jobs?state=waiting"
    assert "Hurry" in shown(service, "/jobs")
    answer = post(f"/jobs/{number}/priority", data={"to": "held", "back": back})
    assert (answer.status_code, answer.headers["location"]) == (303, back)
    assert job(service, number).priority == 0
    page = shown(service, "/jobs")
    assert "Held lot" in page
    assert "Hurry" not in page, "it is the most urgent already"
    post(f"/jobs/{number}/priority", data={"to": "backfill"})
    assert job(service, number).priority == 200
    assert post(f"/jobs/{number}/priority", data={"to": "soon"}, headers=HTML).status_code == 422
    claim_one(service.database)
    assert post(f"/jobs/{number}/priority", data={"to": "held"}, headers=HTML).status_code == 409
    answer = post(f"/jobs/{number}/cancel", data={"back": "https://elsewhere.example"})
    assert answer.headers["location"] == "/", "a form sends nobody elsewhere"
    assert job(service, number).state is JobState.CANCELLED
    assert post(f"/jobs/{number}/cancel", headers=HTML).status_code == 409
    with service.database.read() as session:
        deeds = [entry.deed for entry in journal(session)]
    assert deeds[:3] == ["job cancelled", "job made backfill", "job made held"]


@pytest.mark.parametrize(
    ("role", "hurries", "cancels"),
    [(Role.VIEWER, False, False), (Role.OPERATOR, True, False), (Role.ENGINEER, True, True)],
)
def test_only_those_who_may(serve: Serve, role: Role, *, hurries: bool, cancels: bool) -> None:  # noqa: F811
    guarded = serve(login="always")
    number = add_job(guarded.database, "waiting")
    let_in(guarded.database, "ada", role)
    cookies = log_in(guarded, "ada")
    for path in ("/jobs", f"/jobs/{number}", "/jobs?part=rows", f"/jobs/{number}?part=rows"):
        page = guarded.client.get(path, headers=cookies).text
        assert (f"/jobs/{number}/priority" in page) == hurries
        assert (f"/jobs/{number}/cancel" in page) == cancels
    answer = guarded.client.post(f"/jobs/{number}/priority", data={"to": "held"}, headers=cookies)
    assert answer.status_code == (303 if hurries else 403)
    assert guarded.client.post(f"/jobs/{number}/cancel", headers=cookies).status_code == (303 if cancels else 403)
    assert (job(guarded, number).state is JobState.CANCELLED) == cancels
