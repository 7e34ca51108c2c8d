"""Counts over time, the same on both databases."""

from datetime import timedelta

from sqlalchemy import text

from models.domain.alert import AlertState
from models.domain.verdict import Reason
from services.alerting.handling import change_alert
from services.alerting.occurrences import raise_alerts
from services.alerting.rules import evaluate
from services.records.quality import Span, alerts_of_span, deeds, intervals, shares
from services.records.queries import InspectionFilter
from services.records.session import Database, now
from tests.services.making import capture, inspection, record, verdict

ALL = InspectionFilter()


def filled(database: Database) -> Span:
    """Five captures in three hours: 2 Ring and 1 unknown in the first, nothing in the second, 2 normal in the third."""
    with database.read() as session:
        until = now(session).replace(minute=0, second=0, microsecond=0)
    since = until - timedelta(hours=3)
    made = [("a", "Ring", 0.2), ("b", "Ring", 0.9), ("c", None, 0.5), ("d", "Normal", 2.1), ("e", "Normal", 2.999)]
    for content, label, hours in made:
        one = inspection(capture(content, tool="T1" if label else "T2"), verdict(label))
        record(database, one, content=content)
        with database.engine.begin() as connection:
            at = since + timedelta(hours=hours)
            stamp = at.replace(tzinfo=None) if database.is_sqlite else at
            connection.execute(
                text("UPDATE inspection SET recorded_at = :at WHERE id = :id"), {"at": str(stamp), "id": one.id}
            )
    return Span(since, until)


def test_shares_put_the_frequent_first_and_tell_normal_apart(database: Database) -> None:
    over = filled(database)
    with database.read() as session:
        found = [(one.label, one.captures, one.normal) for one in shares(session, over, ALL)]
        assert found == [("Normal", 2, True), ("Ring", 2, False), ("unknown", 1, False)]
        assert [one.label for one in shares(session, over, InspectionFilter(tool="T2"))] == ["unknown"]
        later = Span(over.until, over.until + timedelta(hours=1))
        assert shares(session, later, ALL) == ()


def test_intervals_are_equal_steps_with_the_empty_ones(database: Database) -> None:
    over = filled(database)
    with database.read() as session:
        found = intervals(session, over, timedelta(hours=1), ALL)
    assert [(one.captures, one.defects, one.unknown) for one in found] == [(3, 2, 1), (0, 0, 0), (2, 0, 0)]
    assert found[0].failing == 3
    assert [one.since for one in found] == [over.since + timedelta(hours=k) for k in range(3)]


def test_deeds_and_alerts_of_a_span(database: Database) -> None:
    found = inspection(capture(), verdict(None, reason=Reason.NOVEL))
    record(database, found)
    with database.write() as session:
        at = now(session)
        (raised,) = raise_alerts(session, evaluate(found), at=at)
        change_alert(session, raised.alert_id, version=1, to=AlertState.ACKNOWLEDGED, actor="ada", note="seen")
    over = Span(at - timedelta(minutes=1), at + timedelta(minutes=1))
    with database.read() as session:
        newest = deeds(session, over)[0]
        assert (newest.actor, newest.after, newest.note) == ("ada", AlertState.ACKNOWLEDGED, "seen")
        assert [one.id for one in alerts_of_span(session, over)] == [raised.alert_id]
        before = Span(at - timedelta(hours=2), at - timedelta(hours=1))
        assert deeds(session, before) == ()
        assert alerts_of_span(session, before) == ()
