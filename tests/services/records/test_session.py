"""Transactions: committed at the edge, outages named, reading apart from writing."""

import threading
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import StatementError

from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.records.alert_tables import AlertRow
from services.records.session import Database, is_alive, now
from services.records.tables import SourceFileRow

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def source(name: str, moment: datetime = NOON) -> SourceFileRow:
    return SourceFileRow(sha256=name * 64, size_bytes=1, name=name, received_at=moment)


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    def fail() -> None:
        with database.write() as session:
            session.add(source("a"))
            session.flush()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.read() as session:
        assert session.scalars(select(SourceFileRow)).all() == []


def test_moments_come_back_as_utc_whatever_zone_they_went_in_with(database: Database) -> None:
    with database.write() as session:
        session.add(source("a", NOON.astimezone(timezone(timedelta(hours=9)))))
    with database.read() as session:
        received = session.scalars(select(SourceFileRow.received_at)).one()
    assert received == NOON
    assert received.utcoffset() == timedelta(0)


def test_moments_without_zone_are_refused(database: Database) -> None:
    with pytest.raises(StatementError, match="naive datetime"), database.write() as session:
        session.add(source("a", NOON.replace(tzinfo=None)))


@pytest.mark.parametrize(
    ("value", "in_sqlite", "in_postgres"),
    [("a\x00b", True, False), ("a\ud800", False, False), (2**70, False, False)],
    ids=["NUL", "half a character", "more than 64 bits"],
)
def test_a_value_without_a_place_in_the_database_is_a_wrong_input(
    database: Database, value: str | int, *, in_sqlite: bool, in_postgres: bool
) -> None:
    fits = in_sqlite if database.is_sqlite else in_postgres
    with (
        nullcontext() if fits else pytest.raises(InputError, match="no place in the database"),
        database.read() as session,
    ):
        column = AlertRow.title if isinstance(value, str) else AlertRow.id
        assert session.scalars(select(AlertRow).where(column == value)).all() == []


def test_arithmetic_that_overflows_is_not_the_databases_fault(database: Database) -> None:
    with pytest.raises(OverflowError), database.read():
        timedelta(days=10**10)


def test_the_clock_is_the_databases_and_has_a_zone(database: Database) -> None:
    with database.read() as session:
        first, second = now(session), now(session)
    assert abs(first - datetime.now(UTC)) < timedelta(seconds=5)
    assert first <= second < first + timedelta(seconds=5)


def test_the_clock_moves_on_within_a_transaction(database: Database) -> None:
    with database.write() as session:
        first = now(session)
        threading.Event().wait(0.01)
        assert now(session) > first


def test_a_read_session_cannot_write(database: Database) -> None:
    with pytest.raises(Exception, match=r"(?i)read-?only"), database.read() as session:
        session.execute(text("DELETE FROM job"))


def test_writers_wait_for_each_other_instead_of_failing(database: Database) -> None:
    """A read before the write is what makes a deferred SQLite transaction fail with `database is locked`."""
    with database.write() as session:
        session.add(source("a"))

    def bump() -> None:
        for _ in range(20):
            with database.write() as session:
                row = session.get(SourceFileRow, "a" * 64, with_for_update=True)
                assert row is not None
                row.size_bytes += 1

    threads = [threading.Thread(target=bump) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.scalars(select(SourceFileRow.size_bytes)).one() == 81


def test_an_unreachable_database_is_a_retryable_error() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", timeout_s=2)
    assert not is_alive(database)
    with pytest.raises(RetryableError, match="database does not answer"), database.read() as session:
        session.execute(text("SELECT 1"))
    database.close()


def test_the_right_database_is_alive(database: Database) -> None:
    assert is_alive(database)


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://user:hunter2@host/db"])
def test_other_databases_are_refused_and_passwords_kept(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Database(url)
    assert "hunter2" not in str(caught.value)


def test_sqlite_syncs_every_commit(database: Database) -> None:
    if not database.is_sqlite:
        pytest.skip("SQLite's own settings")
    with database.write() as session:
        settings = {
            name: session.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
