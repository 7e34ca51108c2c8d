"""Asking again: what is unchanged is not sent again, and what was done is not done again."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import update

from services.access.roles import Role
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.api.idempotency import AT_WORK, KEPT
from services.records.access_tables import KeptAnswerRow
from services.records.session import now
from tests.services.access.people import token_for
from tests.services.api.conftest import Serve, Service
from tests.services.making import inspection, record

COMMENTS = "/api/v1/alerts/1/comments"


@pytest.fixture
def alerted(service: Service) -> Service:
    """A service with an alert."""
    one = inspection()
    record(service.database, one)
    with service.database.write() as session:
        raise_alerts(session, evaluate(one), at=now(session))
    return service


def said(service: Service) -> list[str]:
    history = service.client.get("/api/v1/alerts/1").json()["history"]
    return [one["note"] for one in history if one["before"] is not None]


@pytest.mark.parametrize("path", ["/api/v1/alerts", "/api/v1/alerts/1", "/api/v1/inspections", "/api/v1/openapi.json"])
def test_what_is_unchanged_is_not_sent_again(alerted: Service, path: str) -> None:
    first = alerted.client.get(path)
    tag = first.headers["etag"]
    for asked in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = alerted.client.get(path, headers={"If-None-Match": asked})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert alerted.client.get(path, headers={"If-None-Match": '"other"'}).json() == first.json()


def test_a_change_changes_the_tag_also_where_the_version_stays(alerted: Service) -> None:
    before = alerted.client.get("/api/v1/alerts/1").headers["etag"]
    alerted.client.post(COMMENTS, json={"text": "chuck looks worn"})
    answer = alerted.client.get("/api/v1/alerts/1", headers={"If-None-Match": before})
    assert answer.status_code == 200
    assert answer.headers["etag"] != before
    for tag, status in ((answer.headers["etag"], 200), (answer.headers["etag"], 409), ('"x"', 428)):
        decided = alerted.client.post("/api/v1/alerts/1/acknowledge", headers={"If-Match": tag})
        assert decided.status_code == status


def test_a_repeat_gets_the_first_answer_and_does_nothing(alerted: Service) -> None:
    key = {"Idempotency-Key": "k1"}
    first = alerted.client.post(COMMENTS, json={"text": "once"}, headers=key)
    again = alerted.client.post(COMMENTS, json={"text": "once"}, headers=key)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    alerted.client.post(COMMENTS, json={"text": "once"}, headers={"Idempotency-Key": "k2"})
    alerted.client.post(COMMENTS, json={"text": "once"})
    assert said(alerted) == ["once"] * 3


def test_many_repeats_at_once_do_it_once(alerted: Service) -> None:
    def send(_: int) -> int:
        return alerted.client.post(COMMENTS, json={"text": "once"}, headers={"Idempotency-Key": "k"}).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(16)))
    assert set(answers) <= {200, 409}
    assert 200 in answers
    assert said(alerted) == ["once"]


@pytest.mark.parametrize("other", ["body", "path", "query"])
def test_a_key_is_for_one_request(alerted: Service, other: str) -> None:
    key = {"Idempotency-Key": "k"}
    alerted.client.post(COMMENTS, json={"text": "once"}, headers=key)
    answer = alerted.client.post(
        {"path": "/api/v1/alerts/1/assignment", "query": f"{COMMENTS}?x=1"}.get(other, COMMENTS),
        json={"text": "twice" if other == "body" else "once"},
        headers=key,
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert said(alerted) == ["once"]


def test_refusals_are_kept_and_outages_are_not(alerted: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"Idempotency-Key": "k"}
    wrong = {"version": 9}
    assert alerted.client.post("/api/v1/alerts/1/resolve", json=wrong, headers=key).status_code == 409
    assert alerted.client.post("/api/v1/alerts/1/resolve", json=wrong, headers=key).headers["idempotency-replayed"]

    def away(*_: object, **__: object) -> None:
        raise OSError("disk on fire")

    key = {"Idempotency-Key": "k2"}
    with monkeypatch.context() as patch:
        patch.setattr("services.api.alerts.comment_alert", away)
        assert alerted.client.post(COMMENTS, json={"text": "x"}, headers=key).status_code == 500
    assert alerted.client.post(COMMENTS, json={"text": "x"}, headers=key).status_code == 200


def test_an_upload_sent_again_is_one_arrival(service: Service) -> None:
    def send() -> dict[str, object]:
        files = {"file": ("wafer.001", b"lot a")}  # each repeat has another boundary
        answer = service.client.post("/api/v1/captures", files=files, headers={"Idempotency-Key": "k"})
        assert answer.status_code == 202
        assert answer.headers["location"]
        return dict(answer.json())

    assert send() == send()
    assert len(service.intake.taken) == 1


def test_callers_do_not_see_each_others_answers(serve: Serve) -> None:
    service = serve(host="0.0.0.0")
    one, two = (token_for(service.database, Role.OPERATOR, owner=None) for _ in range(2))
    from tests.services.access.people import let_in

    let_in(service.database, "zoe", Role.OPERATOR)
    two = token_for(service.database, Role.OPERATOR, owner="zoe")
    body = {"inspections": ["x"], "label": "Comet"}
    for token in (one, two):
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "k"}
        assert "idempotency-replayed" not in service.client.post("/api/v1/labels", json=body, headers=headers).headers


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_a_length(service: Service, key: str) -> None:
    assert service.client.post(COMMENTS, json={"text": "x"}, headers={"Idempotency-Key": key}).status_code == 422


def test_a_claim_of_a_process_that_died_and_an_old_answer_are_forgotten(alerted: Service) -> None:
    key = {"Idempotency-Key": "k"}
    alerted.client.post(COMMENTS, json={"text": "a"}, headers=key)
    for status, age, answered in ((None, AT_WORK / 2, 409), (None, AT_WORK * 2, 200), (200, KEPT * 2, 200)):
        with alerted.database.write() as session:
            session.execute(update(KeptAnswerRow).values(claimed_at=now(session) - age, status=status))
        assert alerted.client.post(COMMENTS, json={"text": "a"}, headers=key).status_code == answered
    assert said(alerted) == ["a"] * 3


def test_a_body_that_is_too_large_is_refused_with_a_key_too(service: Service) -> None:
    answer = service.client.post(COMMENTS, content=b"[" * 2_000_000, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
