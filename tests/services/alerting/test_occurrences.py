"""Grouping: a count per trouble, one message per alert, nothing counted twice."""

import contextlib
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select

from models.domain.alert import Alert, AlertState
from services.alerting.handling import change_alert
from services.alerting.occurrences import Outcome, Raised, raise_alerts
from services.alerting.rules import evaluate
from services.records import queries
from services.records.alert_tables import AlertOccurrenceRow, AlertRow
from services.records.session import Database
from services.records.tables import OutboxRow
from services.records.views import AlertSummary
from tests.services.making import NOON, capture, inspection, record, sha, verdict

COOL_DOWN = timedelta(minutes=15)
"""Of the shipped rules."""


def alerts_of(label: str, **provenance: object) -> tuple[Alert, ...]:
    """As a rule raises them, without an inspection on record."""
    found = inspection(capture(**provenance), verdict(label))
    return tuple(replace(alert, inspection_id=None) for alert in evaluate(found))


def put(database: Database, alerts: Iterable[Alert], subject: str, at: datetime = NOON) -> tuple[Raised, ...]:
    named = [replace(alert, subject=sha(subject)) for alert in alerts]
    with database.write() as session:
        return raise_alerts(session, named, at=at, channels=["webhook", "mail"])


def shown(database: Database) -> list[AlertSummary]:
    with database.read() as session:
        return list(queries.alerts(session, states=list(AlertState)).items)


def test_repeats_are_one_alert_with_a_count_and_one_message_per_channel(database: Database) -> None:
    first, *others = (put(database, alerts_of("Scratch"), f"wafer {number}")[0] for number in range(4))
    assert first.is_new
    assert {other.alert_id for other in others} == {first.alert_id}
    assert not any(other.is_new for other in others)
    (alert,) = shown(database)
    assert alert.count == 4
    with database.read() as session:
        assert sorted(session.scalars(select(OutboxRow.channel))) == ["mail", "webhook"]


def test_another_tool_is_another_alert(database: Database) -> None:
    put(database, alerts_of("Scratch"), "a")
    put(database, alerts_of("Scratch", tool="T10"), "b")
    assert {alert.tool for alert in shown(database)} == {"T9", "T10"}


def test_the_same_wafer_counts_once_even_after_its_alert_was_closed(database: Database) -> None:
    (raised,) = put(database, alerts_of("Scratch"), "a")
    assert put(database, alerts_of("Scratch"), "a") == ()
    with database.write() as session:
        change_alert(session, raised.alert_id, version=1, to=AlertState.RESOLVED, actor="someone")
    assert put(database, alerts_of("Scratch"), "a") == ()
    (alert,) = shown(database)
    assert alert.count == 1


def test_the_trouble_coming_back_after_it_was_resolved_is_a_new_alert(database: Database) -> None:
    (old,) = put(database, alerts_of("Scratch"), "a")
    with database.write() as session:
        change_alert(session, old.alert_id, version=1, to=AlertState.RESOLVED, actor="someone")
    (on_its_way,) = put(database, alerts_of("Scratch"), "b")
    assert (on_its_way.alert_id, on_its_way.outcome) == (old.alert_id, Outcome.COOLING)
    (new,) = put(database, alerts_of("Scratch"), "c", at=datetime.now(UTC) + COOL_DOWN)
    assert new.is_new
    assert {alert.id: alert.count for alert in shown(database)} == {old.alert_id: 2, new.alert_id: 1}


def test_repeats_are_told_once_per_window_while_nobody_acknowledges(database: Database) -> None:
    window = alerts_of("Scratch")[0].quiet.window
    put(database, alerts_of("Scratch"), "a")
    for number, at in enumerate([NOON + window / 2, NOON + window, NOON + window * 1.5, NOON + window * 2]):
        put(database, alerts_of("Scratch"), f"wafer {number}", at)
    with database.write() as session:
        change_alert(session, 1, version=1, to=AlertState.ACKNOWLEDGED, actor="someone")
    put(database, alerts_of("Scratch"), "late", NOON + window * 9)
    with database.read() as session:
        mails = select(OutboxRow.body).where(OutboxRow.channel == "mail").order_by(OutboxRow.id)
        told = [(body["event"], body["count"]) for body in session.scalars(mails)]
    assert told == [("alert.opened", 1), ("alert.repeated", 3), ("alert.repeated", 5)]


def test_a_rule_may_name_who_hears_of_it(database: Database) -> None:
    (alert,) = alerts_of("Scratch")
    put(database, [replace(alert, quiet=replace(alert.quiet, tell=("lead",)))], "a")
    with database.read() as session:
        assert list(session.scalars(select(OutboxRow.channel))) == ["lead"]


def test_an_acknowledged_alert_still_gathers_repeats(database: Database) -> None:
    (raised,) = put(database, alerts_of("Scratch"), "a")
    with database.write() as session:
        change_alert(session, raised.alert_id, version=1, to=AlertState.ACKNOWLEDGED, actor="someone")
    put(database, alerts_of("Scratch"), "b")
    (alert,) = shown(database)
    assert (alert.count, alert.state, alert.version) == (2, AlertState.ACKNOWLEDGED, 2)


def test_workers_that_raise_the_same_alerts_at_once_neither_lose_nor_double_any(database: Database) -> None:
    """Two patterns in one transaction, in opposite orders: without a fixed order PostgreSQL finds deadlocks."""
    both = (*alerts_of("Scratch"), *alerts_of("Ring"))
    barrier = threading.Barrier(4)

    def work(worker: int) -> None:
        barrier.wait()
        for number in range(10):
            put(database, both if worker % 2 else reversed(both), f"wafer {number + worker // 2 * 5}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert {alert.pattern: alert.count for alert in shown(database)} == {"Scratch": 15, "Ring": 15}
    with database.read() as session:
        per_alert = session.execute(
            select(AlertRow.count, func.count()).join(AlertOccurrenceRow).group_by(AlertRow.id, AlertRow.count)
        ).all()
        assert all(count == rows for count, rows in per_alert)
        assert session.scalar(select(func.count()).select_from(OutboxRow)) == 4


def test_a_transaction_that_fails_raises_nothing(database: Database) -> None:
    found = inspection()
    record(database, found)
    with contextlib.suppress(ZeroDivisionError), database.write() as session:
        assert raise_alerts(session, evaluate(found), at=NOON, channels=["webhook"])
        raise ZeroDivisionError
    assert shown(database) == []
    with database.read() as session:
        assert session.scalars(select(OutboxRow.id)).all() == []
