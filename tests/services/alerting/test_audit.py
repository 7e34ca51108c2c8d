"""The audit trail taken out: whole where it is whole, and every kind of tampering shows, without a database."""

import json
from collections.abc import Callable

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.domain.alert import AlertState
from models.domain.errors import InputError
from services.alerting.audit import check_contains, export, verify
from services.alerting.handling import change_alert, comment_alert
from services.records.session import Database, now
from tests.services.alerting.test_silencing import put, ring, silence


@pytest.fixture
def lines(database: Database) -> list[str]:
    """Two alerts, one of them worked on, and a silence in the journal."""
    put(database, ring("a"), ring("b", tool="T10"))
    with database.write() as session:
        change_alert(session, 1, version=1, to=AlertState.ACKNOWLEDGED, actor="Zoë", note="chuck?")
    with database.write() as session:
        change_alert(session, 1, version=2, to=AlertState.RESOLVED, actor="Zoë")
    silence(database, reason="known")
    return exported(database)


def exported(database: Database) -> list[str]:
    with database.read() as session:
        return list(export(session))


def test_an_untouched_trail_is_whole(lines: list[str]) -> None:
    found = verify(lines, "audit.jsonl")
    assert found.rows == len(lines) == 5
    assert {chain: number for chain, (number, _) in found.heads.items()} == {"alert 1": 2, "alert 2": 0, "journal": 0}


def rewrite(at: int, **values: object) -> Callable[[list[str]], list[str]]:
    def tamper(lines: list[str]) -> list[str]:
        whole = json.loads(lines[at])
        whole["row"].update(values)
        return [*lines[:at], json.dumps(whole), *lines[at + 1 :]]

    return tamper


@pytest.mark.parametrize(
    "tamper",
    [
        rewrite(1, note="nothing"),
        rewrite(4, actor="eve"),
        rewrite(0, number=1),
        lambda lines: [lines[0], *lines[2:]],
        lambda lines: [lines[1], lines[0], *lines[2:]],
        lambda lines: [*lines, lines[-1]],
    ],
    ids=["note", "journal", "number", "removed", "swapped", "doubled"],
)
def test_tampering_shows(lines: list[str], tamper: Callable[[list[str]], list[str]]) -> None:
    with pytest.raises(InputError) as caught:
        verify(tamper(lines), "audit.jsonl")
    assert caught.value.code == "audit-broken"


def test_rows_missing_at_the_end_show_against_an_older_export(database: Database, lines: list[str]) -> None:
    older = verify(lines, "older")
    with database.write() as session:
        comment_alert(session, 1, text="later", actor="Zoë")
    newer = exported(database)
    check_contains(newer, older, "newer")
    shortened = [line for line in newer if '"number": 2' not in line and '"number": 3' not in line]
    verify(shortened, "shortened")
    with pytest.raises(InputError) as caught:
        check_contains(shortened, older, "shortened")
    assert (caught.value.code, "alert 1" in str(caught.value)) == ("audit-shortened", True)


def test_what_is_no_export_is_named() -> None:
    with pytest.raises(InputError) as caught:
        verify(["{}\n"], "x")
    assert caught.value.code == "bad-audit"


def test_no_row_can_be_put_in_the_place_of_another(database: Database) -> None:
    """SQLite's INSERT OR REPLACE removes a row without a DELETE; PostgreSQL's upsert is an UPDATE."""
    put(database, ring("a"))
    columns = 'alert_id, number, at, actor, "before", "after", note, previous_hash, hash'
    values = "1, 0, '2026-01-01 00:00:00', 'eve', NULL, 'open', '', '', ''"
    statement = (
        f"INSERT OR REPLACE INTO alert_event ({columns}) VALUES ({values})"
        if database.is_sqlite
        else f"INSERT INTO alert_event ({columns}) VALUES ({values})"
        " ON CONFLICT (alert_id, number) DO UPDATE SET actor = 'eve'"
    )
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))
    with database.read() as session:
        assert now(session) is not None
