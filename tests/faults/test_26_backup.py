"""Row 26: a backup made under writes is whole; restored, with the spool looked through again, nothing is missing."""

import shutil
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from models.domain.errors import ConfigurationError, RetryableError
from services.intake.rescanning import rescan
from services.records.backup import DamagedError, back_up, backups, check, restore
from services.records.session import Database
from services.records.tables import JobRow, OutboxRow
from tests.faults.plant import POLICY, TERMINAL, Machine, Plant, check_invariant

pytestmark = pytest.mark.faults

FILES = 60
HASTY = replace(POLICY, lease_s=0.5, backoff_s=0.01)


@pytest.fixture
def plant(tmp_path: Path, sqlite_template: Path) -> Plant:
    shutil.copy(sqlite_template, tmp_path / "waferwatch.db")
    return Plant(f"sqlite:///{tmp_path / 'waferwatch.db'}", tmp_path / "plant", HASTY).build()


def line(plant: Plant, stop: threading.Event) -> None:
    """The whole line, until told to stop."""
    with closing(Machine(plant)) as machine:
        watcher = machine.watcher()
        while not stop.is_set():
            try:
                watcher.look()
                machine.work_one()
                machine.relay_one()
            except RetryableError:
                continue


@pytest.fixture
def disaster(plant: Plant) -> tuple[set[str], Path]:
    """Files come and are worked on; in the middle of it a backup is made; then the database is lost."""
    folder, texts = plant.folder / "backups", set()
    stop = threading.Event()
    worker = threading.Thread(target=line, args=(plant, stop))
    worker.start()
    copies = 0
    with closing(Database(plant.url)) as database:
        for number in range(FILES):
            text = f"T{number}@1\n0"
            texts.add(text)
            plant.put(f"{number}.001", text)
            time.sleep(0.02)
            if number % 15 == 10:
                back_up(database, folder, keep=2)
                copies += 1
    time.sleep(0.5)
    stop.set()
    worker.join()
    assert (copies, len(backups(folder))) == (4, 2)
    path = Path(plant.url.removeprefix("sqlite:///"))
    path.write_bytes(b"x" * path.stat().st_size)
    return texts, backups(folder)[-1]


def finish(plant: Plant) -> None:
    time.sleep(HASTY.lease_s)  # a copy made while a job ran has it running still, until its lease ends
    with closing(Machine(plant)) as machine:
        machine.ingest()
        machine.work()
        machine.relay()


def test_restored_and_looked_through_again_nothing_is_missing(plant: Plant, disaster: tuple[set[str], Path]) -> None:
    texts, copy = disaster
    with pytest.raises(DamagedError):
        check(Path(plant.url.removeprefix("sqlite:///")))
    database = Database(plant.url)
    aside = restore(database, copy)
    assert aside is not None
    assert aside.read_bytes().startswith(b"xxx"), "what was there is kept"
    with closing(Machine(plant)) as machine:
        with machine.database.read() as session:  # what went on and out after the copy was made, it knows nothing of
            unfinished = session.scalars(select(JobRow.id).where(JobRow.state.not_in(TERMINAL))).all()
            unsent = session.scalars(select(OutboxRow.id).where(OutboxRow.sent_at.is_(None))).all()
        found = sum(rescan(machine.database, machine.spool, "b" * 64))
        assert found > 0
        assert sum(rescan(machine.database, machine.spool, "b" * 64)) == 0
    finish(plant)
    check_invariant(plant, texts, most_repeats=found + len(unfinished) + len(unsent))


def test_without_looking_through_the_spool_it_would_be_seen(plant: Plant, disaster: tuple[set[str], Path]) -> None:
    texts, copy = disaster
    restore(Database(plant.url), copy)
    finish(plant)
    with pytest.raises(AssertionError):
        check_invariant(plant, texts, most_repeats=len(texts))


def test_a_damaged_database_is_not_copied_over_good_backups(plant: Plant) -> None:
    folder = plant.folder / "backups"
    path = Path(plant.url.removeprefix("sqlite:///"))
    with closing(Database(plant.url)) as database:
        good = back_up(database, folder, keep=1)
        database.close()
        content = bytearray(path.read_bytes())
        content[8192:12_288] = b"\xff" * 4096
        path.write_bytes(content)
        with pytest.raises(DamagedError, match="database is damaged"):
            back_up(database, folder, keep=1)
    assert backups(folder) == [good]


def test_a_database_in_use_is_not_replaced(plant: Plant) -> None:
    with closing(Machine(plant)) as machine:
        machine.work()
        good = back_up(machine.database, plant.folder / "backups", keep=1)
        with pytest.raises(ConfigurationError, match="database is in use"):
            restore(Database(plant.url), good)


def test_what_is_no_backup_is_not_restored(plant: Plant, tmp_path: Path) -> None:
    (tmp_path / "waferwatch-x.db").write_text("SELECT")
    with pytest.raises(DamagedError):
        restore(Database(plant.url), tmp_path / "waferwatch-x.db")
    finish(plant)
