"""Backups of the embedded database: a consistent copy made while everything writes, checked before it counts.

The spool needs none of this: its files never change, and any tool that copies files keeps it. Copy it after the
database, so that it holds everything the copy names. PostgreSQL has its own ways, see infra/postgres/README.md.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from models.domain.errors import ConfigurationError, RetryableError, WaferwatchError
from services.exhaustion import exhaustion_in
from services.records.session import Database

_PATTERN = "waferwatch-*.db"


class DamagedError(WaferwatchError):
    """A database file is not what was written to it: stop writing, restore the last backup."""

    code = "database-damaged"


def back_up(database: Database, folder: Path, keep: int) -> Path:
    """Check the database, copy it into a folder, check the copy, and remove the oldest copies.

    Args:
        database: SQLite; others go on writing meanwhile.
        folder: where copies are kept, named by their time; made if need be.
        keep: how many copies stay, this one included.

    Returns:
        The copy.

    Raises:
        ConfigurationError: it is PostgreSQL.
        DamagedError: the database is damaged; nothing was copied and nothing removed.
        RetryableError: the disk is full, or the database busy.
    """
    source = _file_of(database)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = folder / f"waferwatch-{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z.db"
    partial = target.with_suffix(".partial")
    try:
        with _outages_named(source), closing(sqlite3.connect(source, timeout=10)) as connection:
            _check(connection, source)
            connection.execute("VACUUM INTO ?", (str(partial),)).close()
        check(partial)
        _make_last(partial, target)
    finally:
        partial.unlink(missing_ok=True)
    for old in backups(folder)[:-keep]:
        old.unlink(missing_ok=True)
    return target


def backups(folder: Path) -> list[Path]:
    """The copies in a folder, the oldest first."""
    return sorted(folder.glob(_PATTERN))


def made_at(backup: Path) -> datetime:
    """When a copy was made."""
    return datetime.strptime(backup.stem.removeprefix("waferwatch-"), "%Y%m%dT%H%M%S%fZ").replace(tzinfo=UTC)


def check(path: Path) -> None:
    """Read all of a SQLite file and compare its indices with its tables.

    Raises:
        DamagedError: something does not fit, or it is no SQLite file.
        RetryableError: it is busy.
    """
    with _outages_named(path), closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        _check(connection, path)


def restore(database: Database, backup: Path) -> Path | None:
    """Put a copy in the database's place; the service must be stopped.

    Files that came since the copy was made are still in the spool: `services.intake.rescanning` finds them.

    Returns:
        Where the database is that was there before; None if there was none.

    Raises:
        ConfigurationError: it is PostgreSQL, or somebody has the database open.
        DamagedError: the copy is damaged.
    """
    place = _file_of(database)
    check(backup)
    aside = None
    database.close()
    if place.exists():
        _be_alone(place)
        aside = place.with_name(f"{place.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S}")
        place.rename(aside)
        for part in ("-wal", "-shm"):  # they belong to the file that goes
            with contextlib.suppress(FileNotFoundError):
                place.with_name(place.name + part).rename(aside.with_name(aside.name + part))
    partial = place.with_name(f"{place.name}.partial")
    shutil.copyfile(backup, partial)
    _make_last(partial, place)
    return aside


def _file_of(database: Database) -> Path:
    if not database.is_sqlite:
        raise ConfigurationError(
            "PostgreSQL is not backed up from here",
            where="WAFERWATCH_DATABASE_URL",
            expected="SQLite",
            remedy="use pg_basebackup with WAL archiving, or pg_dump: see infra/postgres/README.md",
        )
    return Path(str(database.url.database)).absolute()


def _check(connection: sqlite3.Connection, path: Path) -> None:
    found = [row[0] for row in connection.execute("PRAGMA integrity_check(5)")]
    if found != ["ok"]:
        raise _damaged(path, "; ".join(found))


def _be_alone(place: Path) -> None:
    """In WAL mode everybody who has the file open holds a lock on it, which excludes this one."""
    try:
        with closing(sqlite3.connect(place, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE").close()
            connection.execute("BEGIN EXCLUSIVE").close()
    except sqlite3.OperationalError as error:
        raise ConfigurationError(
            "database is in use", where=str(place), got=str(error), remedy="stop the service first", code="in-use"
        ) from error
    except sqlite3.DatabaseError:
        return  # damaged: the more reason to replace it


def _make_last(partial: Path, target: Path) -> None:
    """Sync, name, sync the name."""
    for path in (partial, target.parent):
        handle = os.open(path, os.O_RDONLY)
        try:
            if path == target.parent:
                partial.rename(target)
            os.fsync(handle)
        finally:
            os.close(handle)


@contextmanager
def _outages_named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        full = sqlite3.SQLITE_FULL
        number = getattr(error, "sqlite_errorcode", None)
        exhausted = exhaustion_in(OSError(28, str(error)) if number == full else error, str(path))
        raise exhausted or RetryableError(
            "database does not answer", where=str(path), got=str(error), code="database-unavailable"
        ) from error
    except sqlite3.DatabaseError as error:
        raise _damaged(path, str(error)) from error


def _damaged(path: Path, got: str) -> DamagedError:
    return DamagedError(
        "database is damaged", where=str(path), got=got, remedy="stop the service; 'waferwatch restore' the last backup"
    )
