"""The label queue: the least certain first, a second person's word blind, a third one where two differ."""

from services.records.labelling import Queue, lengths, queue
from services.records.labels import add_labels
from services.records.opinions import labelled
from services.records.places import recent_values
from services.records.session import Database
from tests.services.making import capture, inspection, record, verdict


def judged(database: Database, content: str, confidence: float, label: str | None = "Ring") -> str:
    found = inspection(capture(content), verdict(label, confidence=confidence))
    record(database, found, content=content)
    return found.id


def say(database: Database, one: str, name: str, author: str) -> None:
    with database.write() as session:
        add_labels(session, [one], name=name, author=author)


def waiting(database: Database, which: Queue, reader: str, after: str | None = None) -> list[str]:
    with database.read() as session:
        return [one.id for one in queue(session, which, reader=reader, after=after)]


def test_the_least_certain_comes_first_and_leaves_when_named(database: Database) -> None:
    sure, unsure, lost = (judged(database, name, c) for name, c in (("a", 0.9), ("b", 0.6), ("c", 0.3)))
    assert waiting(database, Queue.UNCERTAIN, "ada") == [lost, unsure, sure]
    assert waiting(database, Queue.UNCERTAIN, "ada", after=lost) == [unsure, sure]
    say(database, unsure, "Donut", "ada")
    assert waiting(database, Queue.UNCERTAIN, "ada") == [lost, sure]
    assert waiting(database, Queue.UNCERTAIN, "bob") == [lost, sure]


def test_a_second_opinion_is_asked_of_others(database: Database) -> None:
    one = judged(database, "a", 0.5)
    say(database, one, "Donut", "ada")
    assert waiting(database, Queue.SECOND, "ada") == []
    assert waiting(database, Queue.SECOND, "bob") == [one]
    say(database, one, "Donut", "bob")
    assert waiting(database, Queue.SECOND, "cid") == []
    with database.read() as session:
        (found,) = labelled(session)
        assert (found.opinion.name, found.opinion.supporters, found.lot) == ("Donut", 2, "LOT7")


def test_whoever_did_not_speak_decides_a_dispute(database: Database) -> None:
    one = judged(database, "a", 0.5)
    say(database, one, "Donut", "ada")
    say(database, one, "Ring", "bob")
    assert waiting(database, Queue.DISPUTED, "ada") == []
    assert waiting(database, Queue.DISPUTED, "cid") == [one]
    with database.read() as session:
        assert lengths(session, "cid") == {Queue.SECOND: 0, Queue.DISPUTED: 1}
    say(database, one, "Ring", "cid")
    assert waiting(database, Queue.DISPUTED, "eve") == []


def test_classes_to_choose_from_are_those_seen_lately(database: Database) -> None:
    judged(database, "a", 0.5, "Ring")
    judged(database, "b", 0.5, None)
    with database.read() as session:
        assert recent_values(session)["label"] == ("Ring",)
        assert recent_values(session)["tool"] == ("T9",)
