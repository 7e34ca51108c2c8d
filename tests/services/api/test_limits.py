"""How much one caller may ask for: rates by key and address, and uploads while the queue is full."""

import time

from services.access.roles import Role
from services.api.backpressure import LOOK_EVERY_S
from services.api.rates import ADDRESS_FACTOR, Rate
from tests.services.access.people import token_for
from tests.services.api.conftest import Serve, Service
from tests.services.making import add_job


class Clock:
    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


def passed(rate: Rate, caller: str, times: int) -> int:
    return sum(rate.wait_s(caller) == 0 for _ in range(times))


def test_a_minutes_worth_may_come_at_once_and_then_the_rate_holds() -> None:
    clock = Clock()
    rate = Rate(60, clock)
    assert passed(rate, "a", 200) == 60
    clock.at += 10
    assert passed(rate, "a", 200) == 10
    clock.at += 3600
    assert passed(rate, "a", 200) == 60, "rest is not saved up"


def test_who_waits_as_told_is_served() -> None:
    clock = Clock()
    rate = Rate(60, clock)
    passed(rate, "a", 60)
    wait = rate.wait_s("a")
    assert 0.5 < wait <= 1.0
    clock.at += wait
    assert rate.wait_s("a") == 0


def test_callers_do_not_pay_for_each_other_and_many_are_not_remembered_for_ever() -> None:
    rate = Rate(60, Clock())
    passed(rate, "a", 100)
    assert passed(rate, "b", 100) == 60
    for k in range(20_000):
        rate.wait_s(f"caller {k}")
    assert len(rate._paid_at) <= 10_000


def ask(service: Service, secret: str, times: int) -> list[int]:
    headers = {"Authorization": f"Bearer {secret}"}
    return [service.client.get("/api/v1/quarantine", headers=headers).status_code for _ in range(times)]


def test_one_token_that_asks_too_often_is_told_so_and_others_are_not(serve: Serve) -> None:
    service = serve(host="0.0.0.0", requests_per_minute=10)
    one, other = token_for(service.database, Role.VIEWER), token_for(service.database, Role.VIEWER)
    assert ask(service, one, 12) == [200] * 10 + [429] * 2
    assert ask(service, other, 1) == [200]
    answer = service.client.get("/api/v1/quarantine", headers={"Authorization": f"Bearer {one}"})
    assert 1 <= int(answer.headers["retry-after"]) <= 6
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "too-many-requests"
    assert service.client.get("/healthz").status_code == 200


def test_an_address_that_shows_nothing_or_always_something_else_is_limited(serve: Serve) -> None:
    service = serve(host="0.0.0.0", requests_per_minute=4)
    most = 4 * ADDRESS_FACTOR
    answers = [
        service.client.get("/api/v1/alerts", headers={"Authorization": f"Bearer ww_{k}"}).status_code
        for k in range(most + 3)
    ]
    assert answers == [401] * most + [429] * 3
    assert service.client.post("/login", data={"name": "x", "password": "y"}).status_code == 429
    assert service.client.get("/static/page.css").status_code == 200


def test_where_no_login_is_needed_nobody_is_limited(serve: Serve) -> None:
    service = serve(requests_per_minute=1)
    assert {service.client.get("/api/v1/quarantine").status_code for _ in range(20)} == {200}


def test_uploads_are_turned_away_while_too_many_files_wait(serve: Serve) -> None:
    service = serve(queue_limit=2)
    files = {"file": ("a.001", b"lot a")}
    assert service.client.post("/api/v1/captures", files=files).status_code == 202
    add_job(service.database, "one")
    add_job(service.database, "two")
    time.sleep(LOOK_EVERY_S)
    answer = service.client.post("/api/v1/captures", files=files)
    assert (answer.status_code, answer.json()["code"]) == (503, "queue-full")
    assert int(answer.headers["retry-after"]) >= 1
    assert service.client.post("/upload", files=files, headers={"Accept": "text/html"}).status_code == 503
    assert len(service.intake.taken) == 1
    assert service.client.get("/api/v1/quarantine").status_code == 200, "everything else goes on"
