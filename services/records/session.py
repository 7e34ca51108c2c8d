"""Connections and transactions: SQLite or PostgreSQL by the URL alone.

A use case is one `with database.write() as session:` block, committed at its end and nowhere else. Reading has its own
session type and its own connections, which the database itself keeps from writing.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, literal_column, make_url, select, text
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session, sessionmaker

from models.domain.errors import ConfigurationError, InputError, RetryableError
from services.exhaustion import Resource, out_of
from services.records.tables import UtcDateTime
from services.records.watchdog import PING_SHARE, WatchedConnection, watch

SQLITE_FIXED = (3, 51, 3)
"""First SQLite without the WAL-reset bug, which can in theory lose a commit when a checkpoint races with a writer."""


class ReadSession(Session):
    """A transaction that the database refuses to write in."""


class WriteSession(Session):
    """A transaction that is committed by `Database.write`, never by the code that uses it."""


class Database:
    """The two connection pools of one database; safe to share between threads, not between processes."""

    def __init__(self, url: str, *, timeout_s: float = 3.0) -> None:
        """Prepare the pools; nothing is connected yet.

        Raises:
            ConfigurationError: the URL is not one of a SQLite file or of PostgreSQL with psycopg.
        """
        self.url = _checked(url)
        self.engine = _engine(self.url, timeout_s, read_only=False)
        self._read_engine = _engine(self.url, timeout_s, read_only=True)
        self._write_sessions = sessionmaker(self.engine, class_=WriteSession, expire_on_commit=False)
        self._read_sessions = sessionmaker(self._read_engine, class_=ReadSession, expire_on_commit=False)

    @property
    def is_sqlite(self) -> bool:
        """True if the database is a file on this machine."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def write(self, *, patient: bool = False) -> Iterator[WriteSession]:
        """One transaction: committed at the end of the block, rolled back if it raises.

        Args:
            patient: let statements take as long as they need (migrations); locks are waited for as briefly as ever.

        Raises:
            RetryableError: the database is unreachable, full or busy. Whether a commit took place may then be unknown:
                every use case is written so that doing it again does no harm.
            InputError: a value has no place in the database: text with NUL in it, a number of more than 64 bits.
        """
        with _errors_named(), self._write_sessions.begin() as session:
            if patient and not self.is_sqlite:
                _be_patient(session)
            yield session

    @contextmanager
    def read(self) -> Iterator[ReadSession]:
        """One consistent look.

        Raises:
            RetryableError: the database is unreachable.
            InputError: a value that is looked for has no place in the database.
        """
        with _errors_named(), self._read_sessions() as session:
            yield session

    def close(self) -> None:
        """Give all connections back."""
        self.engine.dispose()
        self._read_engine.dispose()

    def sqlite_warning(self) -> str | None:
        """What an operator should know of this SQLite library, or None."""
        if not self.is_sqlite or sqlite3.sqlite_version_info >= SQLITE_FIXED:
            return None
        return (
            f"SQLite {sqlite3.sqlite_version} is older than {'.'.join(map(str, SQLITE_FIXED))} (WAL-reset bug): "
            "keep nightly backups, or use PostgreSQL"
        )


def _be_patient(session: Session) -> None:
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, WatchedConnection)
    connection.patience_s = None  # until it is given back to the pool
    session.execute(text("SET LOCAL statement_timeout = 0"))


_SQLITE_NOW = select(func.strftime("%Y-%m-%d %H:%M:%f000", "now", type_=UtcDateTime()))
"""SQLite gives milliseconds; SQLAlchemy reads the digits behind the point as microseconds."""
_POSTGRES_NOW = select(func.clock_timestamp(type_=UtcDateTime()))


def now(session: Session) -> datetime:
    """The database's clock, UTC: the one clock that all workers of one database share.

    PostgreSQL's `now()` stands still within a transaction, `clock_timestamp()` does not.
    """
    statement = _SQLITE_NOW if session.get_bind().dialect.name == "sqlite" else _POSTGRES_NOW
    return session.execute(statement).scalar_one()


def is_alive(database: Database) -> bool:
    """Whether the database answers now (readiness)."""
    try:
        with database.read() as session:
            return session.execute(select(literal_column("1"))).scalar_one() == 1
    except RetryableError:
        return False


@contextmanager
def _errors_named() -> Iterator[None]:
    try:
        yield
    except (DataError, OverflowError, UnicodeEncodeError) as error:
        if isinstance(error, OverflowError) and "SQLite" not in str(error):
            raise  # somebody's arithmetic
        cause = error.orig if isinstance(error, DataError) else error
        raise InputError(
            "a value has no place in the database", expected="text without NUL, numbers of at most 64 bits",
            got=str(cause).partition("\n")[0], code="not-storable",
        ) from error  # fmt: skip
    except (OperationalError, InterfaceError, PoolTimeoutError) as error:
        cause = error.orig if isinstance(error, DBAPIError) else error
        if resource := _run_out(cause):
            raise out_of(resource, where="database", got=str(cause)) from error
        raise RetryableError(
            "database does not answer", got=str(cause), remedy="it is tried again", code="database-unavailable"
        ) from error


def _run_out(cause: BaseException | None) -> Resource | None:
    """What the database, or the pool of connections to it, has no more of."""
    if isinstance(cause, PoolTimeoutError) or getattr(cause, "sqlstate", None) == "53300":
        return Resource.CONNECTIONS
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(cause, "sqlstate", None) == "53100":
        return Resource.DISK
    return None


def _checked(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The URL may hold a password: it is not repeated.
        raise ConfigurationError(
            "bad database URL", where="WAFERWATCH_DATABASE_URL", expected="sqlite:///file or postgresql+psycopg://…"
        ) from error
    backend = parsed.get_backend_name()
    known = parsed.drivername in ("sqlite", "sqlite+pysqlite", "postgresql", "postgresql+psycopg")
    if not known or (backend == "sqlite" and parsed.database in (None, "", ":memory:")):
        raise ConfigurationError(
            "unsupported database",
            where="WAFERWATCH_DATABASE_URL",
            expected="sqlite:///path/to/file.db or postgresql+psycopg://user@host/database",
            got=parsed.render_as_string(hide_password=True),
        )
    return parsed.set(drivername="postgresql+psycopg") if backend == "postgresql" else parsed


def _engine(url: URL, timeout_s: float, *, read_only: bool) -> Engine:
    if url.get_backend_name() == "sqlite":
        Path(str(url.database)).absolute().parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = create_engine(url, pool_timeout=timeout_s, connect_args={"timeout": 10.0})
        _speak_sqlite(engine, read_only=read_only)
        return engine
    milliseconds = round(timeout_s * 900)  # the server gives up a little before the watchdog cuts the connection
    options = (
        f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds} "
        f"-c idle_in_transaction_session_timeout={10 * milliseconds} "
        f"-c default_transaction_read_only={'on' if read_only else 'off'} "
        "-c random_page_cost=1.1"  # as on solid-state disks: lists must not walk through time past what they look for
    )
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=timeout_s,
        connect_args={
            "connect_timeout": max(2, round(timeout_s * (1 - PING_SHARE))),  # the driver knows none below 2 s
            "options": options,
            "application_name": "waferwatch",
        },
    )
    watch(engine, timeout_s)
    return engine


def _speak_sqlite(engine: Engine, *, read_only: bool) -> None:
    """Durable commits, foreign keys, and a write lock from the first statement of a writing transaction on.

    A transaction that starts reading and writes later can fail with SQLITE_BUSY at once, whatever the timeout:
    BEGIN IMMEDIATE waits at the door instead.
    """

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # Python's driver must not begin transactions on its own
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=10000"):
            connection.execute(f"PRAGMA {pragma}").close()
        if read_only:
            connection.execute("PRAGMA query_only=ON").close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
