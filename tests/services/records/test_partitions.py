"""Retention: months of verdicts are made ahead and dropped whole; inspections, which lists and alerts rest on, stay."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from services.jobs import claim
from services.records.partitions import _make, _month_of, _next, drop_verdicts, make_partitions
from services.records.session import Database
from services.records.store import add_inspection
from services.records.tables import InspectionRow, VerdictRow
from tests.services.making import POLICY, add_job, capture, inspection

THIS_MONTH = _month_of(datetime.now(UTC))
LAST_MONTH = _month_of(THIS_MONTH - timedelta(days=1))
BEFORE_LAST = _month_of(LAST_MONTH - timedelta(days=1))


def record(database: Database, *moments: datetime) -> None:
    """An inspection at each moment."""
    add_job(database)
    with database.write() as session:
        lease = claim(session, "worker", POLICY)
        assert lease is not None
        for moment in moments:
            found = inspection(capture(moment.isoformat()))
            add_inspection(session, found, sha256=lease.sha256, job_id=lease.job_id, fence=lease.fence, at=moment)


def kept(database: Database) -> set[datetime]:
    """Moments of the verdicts that are there."""
    with database.read() as session:
        return set(session.scalars(select(VerdictRow.recorded_at)))


def test_months_past_their_time_go_and_their_inspections_stay(own_database: Database) -> None:
    if not own_database.is_sqlite:
        with own_database.write() as session:  # as a housekeeper made them then
            _make(session, BEFORE_LAST)
            _make(session, LAST_MONTH)
        make_partitions(own_database)
    old, last, new = BEFORE_LAST + timedelta(days=27), LAST_MONTH, THIS_MONTH
    record(own_database, old, last, new)
    assert drop_verdicts(own_database, last + timedelta(days=10)) == 1
    assert kept(own_database) == {last, new}, "a month goes when all of it is past its time"
    assert drop_verdicts(own_database, last + timedelta(days=10)) == 0
    assert drop_verdicts(own_database, new) == 1
    assert kept(own_database) == {new}
    with own_database.read() as session:
        assert session.scalar(select(func.count()).select_from(InspectionRow)) == 3


def test_sqlite_deletes_in_small_transactions(own_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    if not own_database.is_sqlite:
        pytest.skip("PostgreSQL drops whole tables")
    monkeypatch.setattr("services.records.partitions._INSPECTIONS_AT_ONCE", 2)
    record(own_database, *(BEFORE_LAST + timedelta(hours=number) for number in range(5)), THIS_MONTH)
    assert drop_verdicts(own_database, LAST_MONTH) == 5
    assert kept(own_database) == {THIS_MONTH}


def test_months_are_made_ahead_and_take_over_what_came_too_early(own_database: Database) -> None:
    if own_database.is_sqlite:
        assert make_partitions(own_database) == []
        return
    make_partitions(own_database)
    late = THIS_MONTH
    for _ in range(5):
        late = _next(late)
    record(own_database, THIS_MONTH, late)
    where = text("SELECT tableoid::regclass::text FROM verdict ORDER BY recorded_at")
    with own_database.read() as session:
        assert list(session.scalars(where)) == [f"verdict_{THIS_MONTH:%Y_%m}", "verdict_rest"]
    made = make_partitions(own_database, months_ahead=6)
    assert f"verdict_{late:%Y_%m}" in made
    with own_database.read() as session:
        assert list(session.scalars(where)) == [f"verdict_{THIS_MONTH:%Y_%m}", f"verdict_{late:%Y_%m}"]
    assert make_partitions(own_database, months_ahead=6) == [], "those that are there are left alone"
    assert kept(own_database) == {THIS_MONTH, late}
