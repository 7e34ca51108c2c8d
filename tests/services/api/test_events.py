"""The stream of events: what happens is told while it happens, and what was missed is told on coming back."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from services.alerting.handling import comment_alert
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.records.session import now
from tests.services.api.conftest import Service
from tests.services.making import capture, inspection, record, verdict

Event = dict[str, str]


@contextmanager
def listening(service: Service, **request: object) -> Iterator[Iterator[Event]]:
    """The events of a stream, one after the other."""

    def events(lines: Iterator[str]) -> Iterator[Event]:
        event: Event = {}
        for line in lines:
            if not line and "data" in event:
                yield event
                event = {}
            elif line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                event[name] = value

    with httpx.stream("GET", f"{service.url}/api/v1/events", timeout=30, **request) as answer:  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield events(answer.iter_lines())


def judged(service: Service, content: str) -> None:
    """An inspection with its alert."""
    one = inspection(capture(content), verdict("Ring"))
    record(service.database, one, content=content)
    with service.database.write() as session:
        raise_alerts(session, evaluate(one), at=now(session))


def test_what_happens_is_told_in_order(service: Service) -> None:
    judged(service, "before")
    with listening(service) as events:
        judged(service, "wafer")
        with service.database.write() as session:
            comment_alert(session, 1, text="chuck looks worn", actor="zoe")
        told = [next(events) for _ in range(2)]
    assert [one["event"] for one in told] == ["inspection", "alert"]
    found, changed = (json.loads(one["data"]) for one in told)
    assert (found["capture"], found["label"], found["lot"]) == ("wafer.001", "Ring", "LOT7")
    assert (changed["note"], changed["actor"]) == ("chuck looks worn", "zoe")


def test_who_comes_back_hears_what_was_missed(service: Service) -> None:
    with listening(service, params={"kind": "inspection"}) as events:
        judged(service, "one")
        last = next(events)
    judged(service, "two")
    judged(service, "three")
    with listening(service, params={"kind": "inspection"}, headers={"Last-Event-ID": last["id"]}) as events:
        told = [json.loads(next(events)["data"])["capture"] for _ in range(3)]
    assert told == ["one.001", "two.001", "three.001"], "the last one again: ids tell what is known"


@pytest.mark.parametrize("wrong", ["yesterday", "2026-01-01", "9" * 100])
def test_a_wrong_place_to_go_on_from_is_a_problem(service: Service, wrong: str) -> None:
    answer = service.client.get("/api/v1/events", headers={"Last-Event-ID": wrong})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert service.client.get("/api/v1/events?kind=jobs").status_code == 422
