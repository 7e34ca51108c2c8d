"""Row 10: the disk is full. Nothing is acknowledged without a row, reading works, sources stay, nothing leaks."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from models.domain.errors import RetryableError
from services.records import backup, queries
from services.records.session import Database
from tests.faults import mutants
from tests.faults.pages import app_of
from tests.faults.plant import Machine, Plant, check_invariant
from tests.web import served

pytestmark = pytest.mark.faults

DISK_BYTES = 6 << 20
"""SQLite's log alone grows to 4 MB before it begins anew; the ballast leaves what the tests say."""


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system (needs root, as containers of CI have)."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no small file systems here: run as root, or under 'unshare -rm': {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


@pytest.fixture
def crowded(small_disk: Path, sqlite_template: Path, tmp_path: Path) -> Plant:
    """Database and spool on the small disk, the watch folder on a large one."""
    shutil.copy(sqlite_template, small_disk / "waferwatch.db")
    plant = Plant(f"sqlite:///{small_disk / 'waferwatch.db'}", small_disk / "plant").build()
    (tmp_path / "watch").mkdir()
    plant.watch.rmdir()
    plant.watch.symlink_to(tmp_path / "watch")
    return plant


def fill(disk: Path, leave: int) -> Path:
    """Fill the disk up to some bytes; remove the file it gives to make room again."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file, contextlib.suppress(OSError):
        file.write(b"x" * max(0, shutil.disk_usage(disk).free - leave))
        file.flush()
    return ballast


def run(machine: Machine) -> None:
    """The service runs when the disk fills: SQLite cannot even be opened on a disk without room for its log."""
    machine.work()
    with machine.database.read() as session:
        queries.health(session)


@pytest.mark.parametrize("leave", [0, 4096, 16_384, 65_536])
def test_a_full_disk_loses_nothing(crowded: Plant, small_disk: Path, leave: int) -> None:
    """Full from the start, or full in the middle: of the copy, of the row, of the work, of a message."""
    texts = {f"T{number}@1\n" + "0 " * (40 * number) + "0" for number in range(1, 6)}
    with closing(Machine(crowded)) as machine:
        watcher = machine.watcher()
        run(machine)
        ballast = fill(small_disk, leave)
        for number, content in enumerate(sorted(texts)):
            crowded.put(f"{number}.001", content)
        failures = 0
        for _ in range(4):
            for call in (watcher.look, machine.work, machine.relay):
                try:
                    call()
                except (RetryableError, OSError):
                    failures += 1
        assert failures, "the disk was not full"
        left = {path.name for path in crowded.watch.iterdir()}
        with machine.database.read() as session:
            rows = session.scalar(text("SELECT count(*) FROM receipt"))
            queries.health(session)
        assert rows is not None
        assert len(left) == len(texts) - rows, "a source went without a row, or a row came without it going"
        assert not list((crowded.folder / "spool").glob("tmp.*"))
        ballast.unlink()
        for _ in range(3):
            machine.ingest()
            machine.work()
            machine.relay()
            with machine.database.write() as session:
                session.execute(text("UPDATE job SET not_before = created_at WHERE state = 'queued'"))
                session.execute(text("UPDATE job SET lease_until = created_at WHERE state = 'running'"))
                session.execute(text("UPDATE outbox SET not_before = created_at, lease_until = NULL"))
    check_invariant(crowded, texts, most_repeats=len(texts))
    backup.check(small_disk / "waferwatch.db")


def test_an_upload_is_answered_503_and_counted(crowded: Plant, small_disk: Path) -> None:
    with (
        closing(Database(crowded.url)) as database,
        served(app_of(crowded, database)) as url,
        httpx.Client(base_url=url, timeout=30) as web,
    ):
        content = os.urandom(300_000)
        ballast = fill(small_disk, 100_000)
        answer = web.post("/api/v1/captures", files={"file": ("a.001", content)})
        assert (answer.status_code, answer.json()["code"]) == (503, "out-of-disk")
        assert web.get("/api/v1/inspections").status_code == 200
        assert 'waferwatch_exhausted_total{resource="disk"} 1.0' in web.get("/metrics").text
        ballast.unlink()
        assert web.post("/api/v1/captures", files={"file": ("a.001", content)}).status_code == 202


def test_a_backup_that_has_no_room_leaves_nothing(crowded: Plant, small_disk: Path) -> None:
    with closing(Database(crowded.url)) as database:
        fill(small_disk, 20_000)
        with pytest.raises(RetryableError):
            backup.back_up(database, small_disk / "backups", keep=3)
    assert list((small_disk / "backups").iterdir()) == []


def test_a_source_removed_too_early_is_seen(crowded: Plant, small_disk: Path) -> None:
    """Room for the bytes, none for the row."""
    crowded.put("1.001", "1 " * 1000)
    with mutants.source_removed_first(), closing(Machine(crowded)) as machine:
        watcher = machine.watcher()
        run(machine)
        watcher.look()
        ballast = fill(small_disk, 8192)
        with pytest.raises(RetryableError):
            watcher.look()
        ballast.unlink()
        machine.ingest()
        machine.work()
        machine.relay()
    with pytest.raises(AssertionError):
        check_invariant(crowded, {"1 " * 1000})
