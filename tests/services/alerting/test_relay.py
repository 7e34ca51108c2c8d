"""The outbox: at least once, in its own time, each channel by itself."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from models.domain.errors import InputError, RetryableError
from services.alerting.channels.channel import Message
from services.alerting.occurrences import raise_alerts
from services.alerting.relay import relay_once
from services.alerting.rules import evaluate
from services.jobs import LeasePolicy
from services.records.session import Database
from services.records.tables import OutboxRow
from tests.services.making import NOON, capture, inspection, record, verdict

POLICY = LeasePolicy(lease_s=30, max_attempts=3, backoff_s=10, backoff_limit_s=60)


class FakeChannel:
    def __init__(self, name: str, on_send: Callable[[Message], None] = lambda _: None) -> None:
        self.name = name
        self.sent: list[Message] = []
        self._on_send = on_send

    def send(self, message: Message) -> None:
        self.sent.append(message)
        self._on_send(message)


def failing(error: Exception) -> Callable[[Message], None]:
    def fail(_: Message) -> None:
        raise error

    return fail


def open_alerts(database: Database, *labels: str, channels: tuple[str, ...] = ("webhook",)) -> None:
    found = inspection(capture(), *(verdict(label) for label in labels))
    record(database, found)
    with database.write() as session:
        raise_alerts(session, evaluate(found), at=NOON, channels=channels)


def rows(database: Database) -> list[OutboxRow]:
    with database.read() as session:
        return list(session.scalars(select(OutboxRow).order_by(OutboxRow.id)))


def make_due(database: Database) -> None:
    with database.write() as session:
        session.execute(update(OutboxRow).values(not_before=OutboxRow.created_at))


def test_each_message_goes_out_once(database: Database) -> None:
    open_alerts(database, "Scratch", "Ring")
    channel = FakeChannel("webhook")
    while relay_once(database, [channel], POLICY):
        pass
    assert {message.body["pattern"] for message in channel.sent} == {"Scratch", "Ring"}
    assert len(channel.sent) == len({message.event_id for message in channel.sent}) == 2
    assert all(row.sent_at is not None for row in rows(database))


def test_a_channel_that_is_down_blocks_nobody_else(database: Database) -> None:
    open_alerts(database, "Scratch", channels=("webhook", "mail"))
    down = FakeChannel("webhook", failing(RetryableError("down")))
    well = FakeChannel("mail")
    assert relay_once(database, [down, well], POLICY) == 2
    assert len(well.sent) == 1
    assert relay_once(database, [down, well], POLICY) == 0, "the backoff is not over"
    assert {row.channel: row.sent_at is not None for row in rows(database)} == {"webhook": False, "mail": True}


def test_it_is_given_up_in_the_end_and_stays_visible(database: Database) -> None:
    open_alerts(database, "Scratch")
    down = FakeChannel("webhook", failing(RetryableError("down", got="HTTP 500")))
    for _ in range(POLICY.max_attempts):
        assert relay_once(database, [down], POLICY) == 1
        make_due(database)
    assert relay_once(database, [down], POLICY) == 0
    (row,) = rows(database)
    assert row.failed_at is not None
    assert row.error is not None
    assert "HTTP 500" in row.error


def test_a_receiver_that_says_no_is_not_asked_again(database: Database) -> None:
    open_alerts(database, "Scratch")
    refusing = FakeChannel("webhook", failing(InputError("refused")))
    assert [relay_once(database, [refusing], POLICY) for _ in range(2)] == [1, 0]
    assert rows(database)[0].failed_at is not None


def test_a_bug_in_a_channel_is_a_try_like_others(database: Database) -> None:
    open_alerts(database, "Scratch")
    buggy = FakeChannel("webhook", failing(ZeroDivisionError("x")))
    assert relay_once(database, [buggy], POLICY) == 1
    (row,) = rows(database)
    assert (row.error, row.failed_at, row.attempts) == ("ZeroDivisionError", None, 1)


def test_a_relay_that_dies_after_sending_sends_the_same_event_again(database: Database) -> None:
    open_alerts(database, "Scratch")
    dying = FakeChannel("webhook", failing(KeyboardInterrupt()))  # type: ignore[arg-type]
    with pytest.raises(KeyboardInterrupt):
        relay_once(database, [dying], POLICY)
    heir = FakeChannel("webhook")
    assert relay_once(database, [heir], POLICY) == 0, "the lease still stands"
    with database.write() as session:
        row = session.scalars(select(OutboxRow)).one()
        assert row.lease_until is not None
        row.lease_until -= timedelta(seconds=POLICY.lease_s + 1)
    assert relay_once(database, [heir], POLICY) == 1
    assert heir.sent == dying.sent


def test_two_relays_never_hold_the_same_message(database: Database) -> None:
    open_alerts(database, "Scratch")
    inner = FakeChannel("webhook")
    counts: list[int] = []
    outer = FakeChannel("webhook", lambda _: counts.append(relay_once(database, [inner], POLICY)))
    assert relay_once(database, [outer], POLICY) == 1
    assert counts == [0]
    assert inner.sent == []
