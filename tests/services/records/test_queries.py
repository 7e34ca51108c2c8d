"""What pages read is what was written; pages neither skip nor repeat."""

import base64
from dataclasses import replace
from datetime import datetime

import pytest

from models.domain.alert import AlertState, Severity
from models.domain.capture import CaptureKind, Georeference
from models.domain.errors import InputError
from models.domain.tiling import Level, Window
from models.domain.verdict import Reason
from services.alerting.occurrences import raise_alerts
from services.alerting.policy import AlertPolicy
from services.alerting.rules import evaluate
from services.jobs import fail
from services.priority import Priority
from services.records import queries
from services.records.queries import InspectionFilter
from services.records.session import Database
from services.records.tables import JobState
from services.records.views import Cursor
from tests.services.making import NOON, POLICY, add_job, capture, claim_one, inspection, record, sha, verdict


def test_an_inspection_comes_back_as_it_went_in(database: Database) -> None:
    of = replace(
        capture(inspected_at=datetime(2026, 2, 28, 7, 30), slot=3),
        kind=CaptureKind.IMAGE,
        georeference=Georeference("EPSG:32632", (0.5, 0.0, 400000.0, 0.0, -0.5, 5300000.0)),
    )
    verdicts = (
        verdict("Ring", runner_up="Donut", runner_up_confidence=0.0625, also=("Scratch", "Loc")),
        verdict(None, window=Window(Level(2, 256, 256), 64, 192, 64, 64), confidence=0.3, reason=Reason.UNSURE),
        verdict(None, reason=Reason.NOT_INSPECTED, confidence=0.0, novelty=0.0),
    )
    found = inspection(of, *verdicts)
    record(database, found)
    with database.read() as session:
        detail = queries.inspection(session, found.id)
        assert detail is not None
        assert detail.verdicts == verdicts
        assert detail.summary.capture == of
        assert detail.summary.bundle == found.bundle
        assert detail.summary.counts == {"Ring": 1, "unknown": 1, "not inspected": 1}
        assert (detail.summary.label, detail.summary.windows, detail.summary.sha256) == ("Ring", 3, sha("wafer"))
        assert detail.summary.started_at == NOON
        assert queries.inspection(session, "0" * 64) is None


def test_pages_of_inspections_cover_all_of_them_once(database: Database) -> None:
    """All recorded in one transaction: equal times must not hide any."""
    record(database, *(inspection(capture("wafer", ordinal, 7)) for ordinal in range(7)))
    seen: list[str] = []
    after = None
    with database.read() as session:
        while True:
            page = queries.inspections(session, limit=3, after=after)
            seen += [item.id for item in page.items]
            if page.next is None:
                break
            after = Cursor.parse(str(page.next))
    assert len(seen) == len(set(seen)) == 7


def test_what_is_added_meanwhile_does_not_move_the_next_page(database: Database) -> None:
    for name in "abc":
        record(database, inspection(capture(name)), content=name)
    with database.read() as session:
        first = queries.inspections(session, limit=2)
    record(database, inspection(capture("d")), content="d")
    with database.read() as session:
        second = queries.inspections(session, limit=2, after=first.next)
    assert [item.file_name for item in (*first.items, *second.items)] == ["c.001", "b.001", "a.001"]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (InspectionFilter(lot="LOT8"), {"ring"}),
        (InspectionFilter(tool="T9", label="Scratch"), {"scratch"}),
        (InspectionFilter(unknown=True), {"strange"}),
        (InspectionFilter(unknown=False), {"ring", "scratch", "dark"}),
        (InspectionFilter(product="none"), set()),
    ],
)
def test_filters(database: Database, which: InspectionFilter, expected: set[str]) -> None:
    for name, one in {
        "ring": inspection(capture("ring", lot="LOT8"), verdict("Ring")),
        "scratch": inspection(capture("scratch"), verdict("Scratch")),
        "strange": inspection(capture("strange"), verdict(None)),
        "dark": inspection(capture("dark"), verdict(None, reason=Reason.NOT_INSPECTED)),
    }.items():
        record(database, one, content=name)
    with database.read() as session:
        found = queries.inspections(session, which=which)
    assert {item.file_name.removesuffix(".001") for item in found.items} == expected


def test_an_alert_shows_its_inspections_and_its_history(database: Database) -> None:
    found = [inspection(capture(name)) for name in "abc"]
    for name, one in zip("abc", found, strict=True):
        record(database, one, content=name)
        with database.write() as session:
            raise_alerts(session, evaluate(one), at=NOON)
    with database.read() as session:
        page = queries.alerts(session)
        assert [(item.pattern, item.count, item.state) for item in page.items] == [("Scratch", 3, AlertState.OPEN)]
        detail = queries.alert(session, page.items[0].id)
        assert detail is not None
        assert detail.inspection is not None
        assert detail.inspection.id == found[0].id
        assert {item.id for item in detail.occurrences} == {one.id for one in found}
        assert [(item.before, item.after) for item in detail.events] == [(None, AlertState.OPEN)]
        of_first = queries.inspection(session, found[0].id)
        assert of_first is not None
        assert of_first.alert_ids == (detail.summary.id,)
        assert queries.alerts(session, states=[AlertState.RESOLVED]).items == ()
        assert queries.alert(session, 10**9) is None


def test_pages_of_alerts(database: Database) -> None:
    names = [f"pattern-{number}" for number in range(5)]
    one = inspection(capture(), *(verdict(name) for name in names))
    record(database, one)
    with database.write() as session:
        raise_alerts(session, evaluate(one), at=NOON)
    with database.read() as session:
        first = queries.alerts(session, limit=3)
        second = queries.alerts(session, limit=3, after=first.next)
    assert second.next is None
    assert sorted(item.pattern for item in (*first.items, *second.items)) == names


def test_the_quarantine_says_why(database: Database) -> None:
    job_id = add_job(database, "broken")
    lease = claim_one(database)
    assert lease is not None
    error = InputError("bad header", where="broken.001:3", expected="FileVersion", got="EOF", remedy="send it again")
    with database.write() as session:
        fail(session, lease, error, POLICY)
    with database.read() as session:
        (only,) = queries.quarantine(session).items
        assert queries.job(session, job_id) == only
        assert queries.job(session, 10**9) is None
        (alert,) = queries.alerts(session).items
        detail = queries.alert(session, alert.id)
    assert (only.state, only.file_name, only.error_code) == (JobState.QUARANTINED, "broken.001", "bad-input")
    assert only.error == error.complaint
    assert detail is not None
    assert detail.job == only


def test_a_job_names_its_inspections(database: Database) -> None:
    found = [inspection(capture("wafer", ordinal, 2)) for ordinal in range(2)]
    record(database, *found)
    with database.read() as session:
        page = queries.jobs(session, states=[JobState.DONE])
    assert set(page.items[0].inspection_ids) == {one.id for one in found}


def test_health_counts(database: Database) -> None:
    record(database, inspection())
    add_job(database, "waiting")
    add_job(database, "other", priority=Priority.HELD)
    lease = claim_one(database)
    assert lease is not None
    with database.write() as session:
        fail(session, lease, InputError("bad"), POLICY, AlertPolicy(channels=("webhook",)))
    with database.read() as session:
        health = queries.health(session)
    assert {state: number for state, number in health.jobs.items() if number} == {
        JobState.QUEUED: 1,
        JobState.QUARANTINED: 1,
    }
    assert health.alerts == {(Severity.WARNING, AlertState.OPEN): 1}
    assert (health.unsent, health.given_up) == (1, 0)
    assert health.oldest_queued_at is not None
    assert health.oldest_unsent_at is not None
    assert health.oldest_unsent_at <= health.at


_BEFORE_TIME = base64.urlsafe_b64encode(b"0001-01-01T00:00:00+14:00|1").decode().rstrip("=")


@pytest.mark.parametrize("text", ["", "!!", "bm90IGEgY3Vyc29y", "MjAyNi0wMy0wMVQxMjowMDowMHwx", "é", _BEFORE_TIME])
def test_made_up_cursors_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="bad cursor"):
        Cursor.parse(text)


def test_a_cursor_of_another_list_is_refused(database: Database) -> None:
    with database.read() as session, pytest.raises(InputError, match="bad cursor"):
        queries.alerts(session, after=Cursor(NOON, sha("x") + "x"))
