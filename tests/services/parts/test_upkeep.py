"""The housekeeper's chores of every day: a checked copy of the embedded database, and room for what comes."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import func, select

from services.jobs import claim
from services.parts.upkeep import Upkeep
from services.records.backup import backups, check, made_at
from services.records.session import Database
from services.records.store import add_inspection
from services.records.tables import VerdictRow
from services.settings import Settings
from services.telemetry.metrics import Metrics
from tests.services.making import POLICY, add_job, inspection


def keeping(database: Database, home: Path, **settings: object) -> tuple[Upkeep, Settings, CollectorRegistry]:
    url = database.url.render_as_string(hide_password=False)
    chosen, registry = Settings(home=home, database_url=url, **settings), CollectorRegistry()  # type: ignore[arg-type]
    return Upkeep(chosen, database, Metrics(registry)), chosen, registry


@pytest.fixture
def sqlite(tmp_path: Path, sqlite_template: Path) -> Path:
    shutil.copy(sqlite_template, tmp_path / "waferwatch.db")
    return tmp_path / "waferwatch.db"


def test_one_copy_a_day_and_the_oldest_go(sqlite: Path, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{sqlite}")
    upkeep, settings, registry = keeping(database, tmp_path / "home", backup_keep=2)
    upkeep.back_up()
    (first,) = backups(settings.backup_dir)
    check(first)
    upkeep.back_up()
    assert backups(settings.backup_dir) == [first], "today's is there"
    for days in (1, 2):  # so many days later
        for copy in backups(settings.backup_dir):
            then = made_at(copy) - timedelta(days=1, minutes=1)
            copy.rename(copy.with_name(f"waferwatch-{then:%Y%m%dT%H%M%S%f}Z.db"))
        upkeep.back_up()
        known = backups(settings.backup_dir)
        assert len(known) == 2, f"day {days}"
        assert datetime.now(UTC) - made_at(known[-1]) < timedelta(minutes=1)
    stamp = registry.get_sample_value("waferwatch_last_backup_timestamp_seconds")
    assert stamp == pytest.approx(made_at(known[-1]).timestamp(), abs=1)
    assert registry.get_sample_value("waferwatch_database_sound") == 1
    database.close()


def test_a_damaged_database_is_said_and_copies_stay(
    sqlite: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with sqlite.open("r+b") as file:  # all pages but the first two
        file.seek(8192)
        file.write(b"\xff" * (sqlite.stat().st_size - 8192))
    database = Database(f"sqlite:///{sqlite}")
    upkeep, settings, registry = keeping(database, tmp_path / "home")
    upkeep.back_up()
    assert backups(settings.backup_dir) == []
    assert registry.get_sample_value("waferwatch_database_sound") == 0
    assert "database is damaged" in caplog.text
    database.close()


def test_where_no_copies_are_wanted_none_is_made(database: Database, tmp_path: Path) -> None:
    wanted = {} if not database.is_sqlite else {"backup_keep": 0}  # PostgreSQL has its own ways
    upkeep, settings, _ = keeping(database, tmp_path / "home", **wanted)
    upkeep.back_up()
    assert not settings.backup_dir.exists()


@pytest.mark.parametrize("days", [None, 1])
def test_verdicts_stay_as_long_as_the_settings_say(sqlite: Path, tmp_path: Path, days: int | None) -> None:
    database = Database(f"sqlite:///{sqlite}")
    add_job(database)
    with database.write() as session:
        lease = claim(session, "worker", POLICY)
        assert lease is not None
        at = datetime.now(UTC) - timedelta(days=70)
        add_inspection(session, inspection(), sha256=lease.sha256, job_id=lease.job_id, fence=1, at=at)
    keeping(database, tmp_path / "home", keep_verdicts_days=days)[0].make_room()
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(VerdictRow)) == (1 if days is None else 0)
    database.close()
