"""Inspecting again: each file once, what the bundle judged already left alone, alerts not repeated (fault row 29)."""

from datetime import timedelta

import pytest

from services.jobs import complete
from services.jobs.reinspecting import Asked, Wish, reinspect
from services.priority import Priority
from services.records import queries
from services.records.queries import InspectionFilter
from services.records.session import Database, now
from services.records.tables import JobState
from tests.services.making import BUNDLE, capture, claim_one, inspection, record, verdict

NEW = "c" * 64


def queued(database: Database) -> dict[str, int]:
    with database.read() as session:
        jobs = queries.jobs(session, states=[JobState.QUEUED]).items
    assert all(job.route == NEW for job in jobs)
    return {job.file_name: job.priority for job in jobs}


@pytest.fixture
def worked(database: Database) -> Database:
    record(database, inspection(capture("a", 0, 2)), inspection(capture("a", 1, 2)), content="a")
    record(database, inspection(capture("b"), verdict("Ring")), content="b")
    record(database, inspection(capture("c"), verdict(None)), content="c")
    return database


def test_each_file_is_asked_for_once(worked: Database) -> None:
    assert sum(one.jobs for one in reinspect(worked, Wish(NEW))) == 3
    assert queued(worked) == {"a.001": 200, "b.001": 200, "c.001": 200}
    assert list(reinspect(worked, Wish(NEW))) == [], "asking again finds nothing that was not asked for"


def test_a_dry_run_counts_only(worked: Database) -> None:
    assert list(reinspect(worked, Wish(NEW), dry=True)) == [Asked(files=3, jobs=0)]
    assert queued(worked) == {}


@pytest.mark.parametrize(
    ("which", "names"),
    [({"label": "Ring"}, {"b.001"}), ({"unknown": True}, {"c.001"}), ({"lot": "elsewhere"}, set())],
)
def test_only_what_is_meant(worked: Database, which: dict[str, object], names: set[str]) -> None:
    wish = Wish(NEW, InspectionFilter(**which), priority=Priority.HELD)  # type: ignore[arg-type]
    list(reinspect(worked, wish))
    assert queued(worked) == dict.fromkeys(names, 0)


def test_spans_of_time(worked: Database) -> None:
    with worked.read() as session:
        later = now(session) + timedelta(hours=1)
    assert list(reinspect(worked, Wish(NEW, since=later))) == []
    assert sum(one.files for one in reinspect(worked, Wish(NEW, until=later))) == 3


def test_what_the_bundle_judged_is_left_alone(worked: Database) -> None:
    assert list(reinspect(worked, Wish(BUNDLE.digest))) == []


def test_it_goes_on_after_some_were_judged(worked: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.jobs.reinspecting.FILES_AT_ONCE", 1)
    first = next(reinspect(worked, Wish(NEW)))
    assert (first.files, len(queued(worked))) == (1, 1)
    lease = claim_one(worked)
    assert lease is not None
    with worked.write() as session:
        complete(session, lease)
    list(reinspect(worked, Wish(NEW)))
    assert len(queued(worked)) == 2
