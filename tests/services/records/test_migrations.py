"""The steps lead to exactly the tables the program has, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from models.domain.errors import ConfigurationError
from services.records.migrations import upgrade
from services.records.session import Database
from services.records.tables import Base


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    server = request.getfixturevalue("postgres")
    url = server.create_empty()
    yield url
    server.drop(url)


def test_steps_lead_to_the_tables(empty_url: str) -> None:
    database = Database(empty_url)
    upgrade(database)
    with database.read() as session:
        context = MigrationContext.configure(
            session.connection(), opts={"compare_server_default": True, "include_object": _is_ours}
        )
        assert compare_metadata(context, Base.metadata) == []
    database.close()


def _is_ours(_: object, name: str | None, *__: object) -> bool:
    return not str(name).startswith("verdict_")  # partitions


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    databases = [Database(empty_url) for _ in range(4)]
    with ThreadPoolExecutor(len(databases)) as pool:
        list(pool.map(upgrade, databases))  # raises what they raised
    for database in databases:
        database.close()


def test_a_newer_database_is_left_alone(own_database: Database) -> None:
    with own_database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match="newer than this program"):
        upgrade(own_database)


@pytest.mark.parametrize("statement", ["UPDATE alert_event SET note = 'x'", "DELETE FROM alert_event"])
def test_history_of_alerts_cannot_be_changed(database: Database, statement: str) -> None:
    with database.write() as session:
        session.execute(
            text(
                "INSERT INTO alert (id, fingerprint, rule, pattern, severity, state, title, action, count, first_seen,"
                " last_seen, version) VALUES (1, 'f', 'r', 'p', 'info', 'open', 't', 'a', 1, '2026-01-01 00:00:00',"
                " '2026-01-01 00:00:00', 1)"
            )
        )
        session.execute(
            text(
                "INSERT INTO alert_event (alert_id, number, at, actor, after, note, previous_hash, hash)"
                " VALUES (1, 0, '2026-01-01 00:00:00', 'x', 'open', '', '', '')"
            )
        )
    with pytest.raises(DBAPIError, match="append-only"), database.engine.begin() as connection:
        connection.execute(text(statement))


def test_what_is_recorded_is_filled_in_for_rules(empty_url: str) -> None:
    """Step 0011: which inspection of a capture was its first, and when people heard of an alert."""
    database = Database(empty_url)
    upgrade(database, to="0010")
    early, late = "2026-01-01 00:00:00.000000", "2026-02-01 00:00:00.000000"
    capture = "INSERT INTO capture (id, sha256, kind, name, height, width) VALUES ('c{0}', 'f', 'wafer', 'w', 1, 1)"
    inspected = (
        "INSERT INTO inspection (id, capture_id, job_id, fence, bundle_name, bundle_version, bundle_digest, started_at,"
        " duration_s, recorded_at, confidence, novelty, reason, windows, counts)"
        " VALUES ('{0}', 'c{1}', 1, 1, 'b', '1', 'd', :at, 1, :at, 1, 1, 'confident', 1, '{{}}')"
    )
    alert = (
        "INSERT INTO alert (fingerprint, rule, pattern, severity, state, title, action, count, first_seen, last_seen,"
        " version) VALUES ('f', 'r', 'p', 'info', 'open', 't', 'a', 1, :early, :late, 1)"
    )
    with database.write() as session:
        session.execute(
            text("INSERT INTO source_file (sha256, size_bytes, name, received_at) VALUES ('f', 1, 'x', :at)"),
            {"at": early},
        )
        session.execute(
            text(
                "INSERT INTO job (id, dedupe_key, sha256, route, state, sender, priority, attempts, fence, not_before,"
                " created_at, windows_done) VALUES (1, 'k', 'f', 'r', 'done', '', 100, 1, 1, :at, :at, 0)"
            ),
            {"at": early},
        )
        for number in (1, 2):
            session.execute(text(capture.format(number)))
        for name, of, at in (("z", 1, early), ("a", 1, late), ("n", 2, late), ("m", 2, late)):
            session.execute(text(inspected.format(name, of)), {"at": at})
        session.execute(text(alert), {"early": early, "late": late})
    upgrade(database)
    with database.read() as session:
        first = dict(session.execute(text("SELECT id, is_first FROM inspection")).tuples().all())
        told = session.execute(text("SELECT told_at = first_seen FROM alert")).scalar_one()
    database.close()
    assert {name for name, is_first in first.items() if is_first} == {"z", "m"}, (
        "the earliest; of equals the same always"
    )
    assert told
