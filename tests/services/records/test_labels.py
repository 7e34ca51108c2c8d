"""Labels: the newest word about a capture counts, and no word is ever lost."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.domain.errors import InputError
from models.domain.verdict import Reason
from services.records.labels import add_labels, label_of, labels, names_in_use, unnamed
from services.records.session import Database
from tests.services.making import capture, inspection, record, verdict


def refused(database: Database, content: str) -> str:
    found = inspection(capture(content), verdict(None, reason=Reason.NOVEL))
    record(database, found, content=content)
    return found.id


def test_the_newest_word_counts(database: Database) -> None:
    one, two = refused(database, "one"), refused(database, "two")
    with database.write() as session:
        assert add_labels(session, [one, two], name="  Comet   tail ", author="ada") == 2
    with database.write() as session:
        add_labels(session, [two], name="Scratch", author="grace", note="seen it before")
    with database.read() as session:
        assert [(label.capture_name, label.name, label.author) for label in labels(session).items] == [
            ("two.001", "Scratch", "grace"),
            ("one.001", "Comet tail", "ada"),
        ]
        found = label_of(session, capture("two").id)
        assert found is not None
        assert (found.name, found.lot, found.note) == ("Scratch", "LOT7", "seen it before")
        assert names_in_use(session) == ("Comet tail", "Scratch")


def test_what_is_named_leaves_the_inbox(database: Database) -> None:
    one, two = refused(database, "one"), refused(database, "two")
    record(database, inspection(capture("three")), content="three")
    with database.read() as session:
        assert [found.id for found in unnamed(session)] == [two, one]
    with database.write() as session:
        add_labels(session, [two], name="Comet", author="ada")
    with database.read() as session:
        assert [found.id for found in unnamed(session)] == [one]


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "a\x00b"])
def test_a_class_needs_a_name(database: Database, name: str) -> None:
    one = refused(database, "one")
    with pytest.raises(InputError, match="class name"), database.write() as session:
        add_labels(session, [one], name=name, author="ada")


def test_what_does_not_exist_is_not_named(database: Database) -> None:
    with pytest.raises(InputError, match="no such inspection"), database.write() as session:
        add_labels(session, ["f" * 64], name="Comet", author="ada")


@pytest.mark.parametrize("statement", ["UPDATE label SET name = 'x'", "DELETE FROM label"])
def test_words_cannot_be_taken_back(database: Database, statement: str) -> None:
    one = refused(database, "one")
    with database.write() as session:
        add_labels(session, [one], name="Comet", author="ada")
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))
