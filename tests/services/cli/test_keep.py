"""The verbs that keep the embedded database: what the copy holds comes back, and what came since as well."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from services.intake.receiving import Arrival, receive
from services.intake.spool import Spool
from services.records.migrations import upgrade
from services.records.session import Database
from services.records.tables import SourceFileRow
from services.settings import Settings
from tests.services.cli.test_app import run


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("WAFERWATCH_HOME", str(tmp_path / "home"))
    made = Settings.load()
    made.make_folders()
    with closing(Database(made.database_url)) as database:
        upgrade(database)
    return made


def arrive(settings: Settings, folder: Path, name: str) -> None:
    (folder / name).write_bytes(name.encode())
    with closing(Database(settings.database_url)) as database, (folder / name).open("rb") as stream:
        receive(database, Spool(settings.spool_dir, 1 << 20), stream, Arrival("command", name))


def names(settings: Settings) -> set[str]:
    with closing(Database(settings.database_url)) as database, database.read() as session:
        return set(session.scalars(select(SourceFileRow.name)))


def test_a_copy_is_made_and_put_back_and_the_spool_looked_through(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arrive(settings, tmp_path, "before.001")
    status, out, _ = run(capsys, "backup", "--json")
    made = json.loads(out)
    assert (status, made["size_bytes"]) == (0, Path(made["backup"]).stat().st_size)
    arrive(settings, tmp_path, "since.001")
    status, out, _ = run(capsys, "restore", made["backup"], "--json")
    put_back = json.loads(out)
    assert (status, put_back["files"]) == (0, 1)
    assert Path(put_back["before"]).exists(), "what was there is set aside"
    assert "before.001" in names(settings)
    assert len(names(settings)) == 2, "what came since is found in the spool"
    status, out, _ = run(capsys, "rescan", "--json")
    assert (status, json.loads(out)) == (0, {"files": 0})
    with closing(sqlite3.connect(settings.home / "waferwatch.db")) as connection:
        deeds = [deed for (deed,) in connection.execute("SELECT deed FROM journal ORDER BY number")]
    assert deeds == [f"restored {Path(made['backup']).name}", "rescan"]


def test_without_a_copy_there_is_nothing_to_put_back(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, "restore")
    assert (status, "no such backup" in err) == (2, True)
    status, _, err = run(capsys, "restore", str(settings.home / "none.db"))
    assert (status, "no such backup" in err) == (2, True)


def test_postgresql_is_left_to_its_own_tools(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], postgres: object
) -> None:
    monkeypatch.setenv("WAFERWATCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WAFERWATCH_DATABASE_URL", postgres.emptied())  # type: ignore[attr-defined]
    status, _, err = run(capsys, "backup")
    assert status != 0
    assert "pg_basebackup" in err
