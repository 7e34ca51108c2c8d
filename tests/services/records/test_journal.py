"""The journal: only ever added to, whole or visibly not."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from services.records.journal import first_broken, journal, write_down
from services.records.quality import Span
from services.records.session import Database


def note(database: Database, subject: str) -> None:
    with database.write() as session:
        write_down(session, actor="zoe", deed="rule changed", subject=subject, before=0.9, after=["ä", None, True])


@pytest.mark.parametrize("statement", ["UPDATE journal SET actor = 'x'", "DELETE FROM journal"])
def test_the_database_refuses_to_change_it(database: Database, statement: str) -> None:
    note(database, "pattern")
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))


def test_what_is_read_is_what_was_written(database: Database) -> None:
    for k in range(3):
        note(database, f"rule {k}")
    with database.read() as session:
        newest, *rest = journal(session)
        assert [one.subject for one in journal(session, limit=1)] == ["rule 2"]
        assert journal(session, deed="promoted") == ()
        moment = newest.at
        assert newest in journal(session, over=Span(moment, moment + timedelta(seconds=1)))
        assert journal(session, over=Span(moment + timedelta(seconds=1), moment + timedelta(days=1))) == ()
    assert (newest.number, newest.actor, newest.deed) == (2, "zoe", "rule changed")
    assert newest.detail == {"before": 0.9, "after": ["ä", None, True]}
    assert [one.subject for one in rest] == ["rule 1", "rule 0"]


def test_a_change_and_a_gap_by_somebody_with_more_power_show(own_database: Database) -> None:
    for k in range(5):
        note(own_database, f"rule {k}")
    triggers = ("journal_no_update", "journal_no_delete") if own_database.is_sqlite else ("journal_no_change",)
    with own_database.engine.begin() as connection:
        for trigger in triggers:
            connection.execute(text(f"DROP TRIGGER {trigger}" + ("" if own_database.is_sqlite else " ON journal")))
    with own_database.read() as session:
        assert first_broken(session) is None
    with own_database.engine.begin() as connection:
        connection.execute(text("UPDATE journal SET actor = 'somebody else' WHERE number = 3"))
    with own_database.read() as session:
        assert first_broken(session) == 3
    with own_database.engine.begin() as connection:
        connection.execute(text("DELETE FROM journal WHERE number = 1"))
    with own_database.read() as session:
        assert first_broken(session) == 2


def test_many_writers_make_one_chain(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: note(database, str(k)), range(40)))
    with database.read() as session:
        assert [one.number for one in journal(session)] == list(range(39, -1, -1))
        assert first_broken(session) is None


def test_a_deed_undone_leaves_no_line(database: Database) -> None:
    def undone() -> None:
        with database.write() as session:
            write_down(session, actor="zoe", deed="x", subject="y")
            raise InterruptedError

    with pytest.raises(InterruptedError):
        undone()
    with database.read() as session:
        assert journal(session) == ()
